"""Signatures: Ed25519 over `topic + LF + payload`, in the user properties `signature` and `key_id`.

Whoever changes a byte of a payload, or moves it to another topic, needs the private key.
Times, ids and the high-water mark are what stands against saying it again.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from schemas.keys import KEY_ID_PROPERTY, SIGNATURE_PROPERTY, Key, signed_bytes

KEY_BYTES = 32  # of a private and of a public key, raw
SIGNATURE_BYTES = 64

UserProperties = tuple[tuple[str, str], ...]


class BadKey(ValueError):
    """A text that is no Ed25519 key."""


class BadSignature(Exception):
    """A message that nobody we know has signed in this form. `reason` holds no value of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownKey(BadSignature):
    """It names a key that we do not hold: forged, or of a rotation that we have not heard of yet."""


def to_text(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_text(text: str, *, size: int) -> bytes:
    """The bytes of a base64url text without padding.

    Raises:
        ValueError: not base64url, or of another size.
    """
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64url") from error
    if len(raw) != size:
        raise ValueError(f"{len(raw)} bytes, not {size}")
    return raw


def key_id(public: str) -> str:
    """The name of a public key: the first 128 bits of its SHA-256, base64url."""
    return to_text(hashlib.sha256(from_text(public, size=KEY_BYTES)).digest()[:16])


def public_key(text: str) -> VerifyKey:
    """A public key as it travels.

    Raises:
        BadKey: it is none.
    """
    try:
        return VerifyKey(from_text(text, size=KEY_BYTES))
    except ValueError as error:
        raise BadKey("not an Ed25519 public key in base64url") from error


class Signer:
    """A private key. It shows itself to nobody: keep `secret` where only its owner can read."""

    def __init__(self, private: SigningKey) -> None:
        self._private = private
        self.public = to_text(bytes(private.verify_key))
        self.key_id = key_id(self.public)

    def __repr__(self) -> str:
        return f"Signer(key_id={self.key_id!r})"

    @classmethod
    def generate(cls) -> "Signer":
        """A new key."""
        return cls(SigningKey.generate())

    @classmethod
    def restore(cls, secret: str) -> "Signer":
        """The key that `secret` was of.

        Raises:
            BadKey: it is none.
        """
        try:
            return cls(SigningKey(from_text(secret, size=KEY_BYTES)))
        except ValueError as error:
            raise BadKey("not an Ed25519 private key") from error

    @property
    def secret(self) -> str:
        """The private key as text."""
        return to_text(bytes(self._private))

    def sign(self, topic: str, payload: bytes) -> UserProperties:
        """The user properties that this message carries."""
        signature = to_text(self._private.sign(signed_bytes(topic, payload)).signature)
        return ((KEY_ID_PROPERTY, self.key_id), (SIGNATURE_PROPERTY, signature))


class Verifier:
    """The public keys that are believed, by their ids. Immutable."""

    def __init__(self, keys: Mapping[str, VerifyKey]) -> None:
        self._keys = dict(keys)

    @classmethod
    def of(cls, publics: Iterable[str]) -> "Verifier":
        """One that believes these public keys.

        Raises:
            BadKey: one of them is none.
        """
        return cls({key_id(public): public_key(public) for public in publics})

    def check(self, topic: str, payload: bytes, properties: Sequence[tuple[str, str]]) -> str:
        """The id of the key that signed this message.

        Raises:
            UnknownKey: signed by a key that is not held.
            BadSignature: not signed, or not in this form.
        """
        if "\n" in topic:  # the line break that ends a topic could be any of its own
            raise BadSignature("its topic has a line break")
        given = _single(properties)
        named = given.get(KEY_ID_PROPERTY)
        signature = given.get(SIGNATURE_PROPERTY)
        if named is None or signature is None:
            raise BadSignature("it is not signed")
        key = self._keys.get(named)
        if key is None:
            raise UnknownKey("it is signed with an unknown key")
        try:
            key.verify(signed_bytes(topic, payload), from_text(signature, size=SIGNATURE_BYTES))
        except (ValueError, BadSignatureError) as error:
            raise BadSignature("its signature does not fit") from error
        return named


def valid(keys: Iterable[Key], *, at: datetime) -> list[Key]:
    """Those of the keys that count at a moment."""
    return [key for key in keys if key.not_before <= at < key.not_after]


def _single(properties: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The two properties of a signature; one that is there twice says nothing."""
    found: dict[str, str] = {}
    for name, value in properties:
        if name in (KEY_ID_PROPERTY, SIGNATURE_PROPERTY):
            if name in found:
                raise BadSignature("it is signed twice")
            found[name] = value
    return found
