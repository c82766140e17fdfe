"""The join code: one text that lets one device in once, and everything that is derived from it.

It holds an invite id, a secret of 128 bits and the SHA-256 of the broker's CA. The secret
never travels: the password for the broker, and the key that proves both sides to each
other, are made from it (HKDF, RFC 5869), each for its purpose only. So neither a broker
that saw the password nor anybody who reads along can speak for the other side.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.keys import signed_bytes
from schemas.signing import UserProperties, from_text, to_text

PROOF_PROPERTY = "proof"
VERSION = b"\x01"
INVITE_BYTES = 5  # 8 characters
SECRET_BYTES = 16
FINGERPRINT_BYTES = 32
CHECK_BYTES = 3
GROUP = 6  # characters between two dashes
NO_CA = bytes(FINGERPRINT_BYTES)  # the broker's certificate is vouched for by the system's authorities

_LENGTH = len(VERSION) + INVITE_BYTES + SECRET_BYTES + FINGERPRINT_BYTES + CHECK_BYTES


class BadCode(ValueError):
    """A text that is no join code; the message is a sentence for a person, without the text."""


@dataclass(frozen=True, slots=True)
class JoinCode:
    """What a code says. `ca` is the SHA-256 of the broker's CA in DER."""

    invite_id: str
    secret: bytes = field(repr=False)
    ca: bytes

    @classmethod
    def make(cls, ca: bytes) -> "JoinCode":
        """A new code for a broker with this CA."""
        return cls(_letters(secrets.token_bytes(INVITE_BYTES)), secrets.token_bytes(SECRET_BYTES), ca)

    @classmethod
    def read(cls, text: str) -> "JoinCode":
        """What somebody typed or pasted; dashes, blanks and capitals do not matter.

        Raises:
            BadCode: it is no code, or has a typing error.
        """
        letters = "".join(text.split()).replace("-", "").upper()
        if not letters:
            raise BadCode("There is no code.")
        try:
            raw = base64.b32decode(letters + "=" * (-len(letters) % 8))
        except (binascii.Error, ValueError):
            raise BadCode(
                "That is not a join code: it holds other characters, or a part is missing."
            ) from None
        if len(raw) != _LENGTH or raw[:1] != VERSION:
            raise BadCode("That is not a join code of this version: a part is missing or too much.")
        body, check = raw[:-CHECK_BYTES], raw[-CHECK_BYTES:]
        if _check(body) != check:
            raise BadCode("The code has a typing error.")
        invite, rest = body[1 : 1 + INVITE_BYTES], body[1 + INVITE_BYTES :]
        return cls(_letters(invite), rest[:SECRET_BYTES], rest[SECRET_BYTES:])

    @property
    def text(self) -> str:
        """The code to be given to somebody."""
        invite = base64.b32decode(self.invite_id.upper())
        body = VERSION + invite + self.secret + self.ca
        letters = _letters(body + _check(body))
        return "-".join(letters[start : start + GROUP] for start in range(0, len(letters), GROUP))

    @property
    def username(self) -> str:
        """Whom the broker lets in with this code."""
        return username(self.invite_id)

    @property
    def password(self) -> str:
        """The password of that user."""
        return to_text(self._derived(b"orion join password"))

    @property
    def proof_key(self) -> str:
        """What both sides prove themselves with; it is no use at the broker."""
        return to_text(self._derived(b"orion join proof"))

    def _derived(self, purpose: bytes) -> bytes:
        derivation = HKDF(algorithm=SHA256(), length=32, salt=self.invite_id.encode(), info=purpose)
        return derivation.derive(self.secret)


def username(invite_id: str) -> str:
    """The broker's user of an invitation."""
    return f"join-{invite_id}"


def prove(proof_key: str, topic: str, payload: bytes) -> UserProperties:
    """The user property that shows that whoever wrote this message has the code."""
    return ((PROOF_PROPERTY, to_text(_digest(proof_key, topic, payload))),)


def is_proven(proof_key: str, topic: str, payload: bytes, properties: Sequence[tuple[str, str]]) -> bool:
    """Whether a message was written by somebody who has the code, in this form."""
    given = [value for name, value in properties if name == PROOF_PROPERTY]
    if len(given) != 1:
        return False
    try:
        proof = from_text(given[0], size=32)
    except ValueError:
        return False
    return hmac.compare_digest(proof, _digest(proof_key, topic, payload))


def _digest(proof_key: str, topic: str, payload: bytes) -> bytes:
    return hmac.digest(from_text(proof_key, size=32), signed_bytes(topic, payload), "sha256")


def _check(body: bytes) -> bytes:
    """For typing errors only: whoever can make a code can make this."""
    return hashlib.sha256(body).digest()[:CHECK_BYTES]


def _letters(raw: bytes) -> str:
    return base64.b32encode(raw).rstrip(b"=").decode().lower()
