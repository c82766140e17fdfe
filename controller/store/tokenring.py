"""The keys that access tokens are signed with, in one file that only its owner can read.

A key signs for a month and is believed for an hour longer, which every token that it signed has
outlived by then. One that is lost costs nothing but a renewal of each sign-in.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from broker import files
from controller.errors import OrionError
from schemas.wire import Instant

ALGORITHM = "EdDSA"  # and no other, whatever a token says of itself
AUDIENCE = "orion-api"
LIVES = timedelta(minutes=15)
SIGNS_FOR = timedelta(days=30)
BELIEVED_AFTER = timedelta(hours=1)


class BadToken(Exception):
    """It was not signed here, is over, or is for something else."""


class TokenKeysUnusable(OrionError):
    """The file cannot be read or written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} cannot be used: {reason}. Make room there, or move it away: whoever is signed in renews that."
        )


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    kid: str
    secret: str
    made_at: Instant

    def __repr__(self) -> str:
        return f"_Entry(kid={self.kid!r}, made_at={self.made_at})"


@dataclass(frozen=True, slots=True)
class _Held:
    """A key in use. `until`: how long its tokens are believed; None: it is the one that signs."""

    kid: str
    private: Ed25519PrivateKey
    public: Ed25519PublicKey
    until: datetime | None


_ENTRIES = TypeAdapter(tuple[_Entry, ...])


@dataclass(frozen=True, slots=True)
class Claims:
    """Whose token it is, of which sign-in, and until when it is good."""

    username: str
    sign_in_id: str
    ends_at: datetime


class TokenRing:
    """Makes and checks access tokens: who, in which sign-in, until when. What they may is never in them."""

    def __init__(self, path: Path, now: Callable[[], datetime], *, issuer: str) -> None:
        self._path = path
        self._now = now
        self._issuer = issuer
        self._held: tuple[_Held, ...] = ()  # the newest first

    def open(self) -> None:
        """Read the keys, and make a new one where there is none or the newest has signed long enough. Blocks.

        Raises:
            TokenKeysUnusable: the file is damaged, or there is no room for it.
        """
        try:
            files.make_private_directory(self._path.parent)
            with files.locked(self._path.with_suffix(".lock")):
                entries = self._kept()
                if not entries or self._now() - entries[0].made_at >= SIGNS_FOR:
                    entries = (self._made(), *entries[:1])
                    files.replace(self._path, _ENTRIES.dump_json(entries, indent=1).decode() + "\n")
        except (OSError, files.Locked) as error:
            raise TokenKeysUnusable(self._path, getattr(error, "strerror", None) or str(error)) from error
        self._held = tuple(
            _held(entry, successor) for entry, successor in zip(entries, (None, *entries), strict=False)
        )

    def made(self, username: str, sign_in_id: str) -> tuple[str, int]:
        """A token for somebody, and for how many seconds it is believed."""
        now, key = self._now(), self._held[0]
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": username,
            "sid": sign_in_id,
            "jti": secrets.token_urlsafe(12),
            "iat": int(now.timestamp()),
            "exp": int((now + LIVES).timestamp()),
        }
        token = jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})
        return token, int(LIVES.total_seconds())

    def read(self, token: str) -> Claims:
        """What a token says that is good here and now.

        Raises:
            BadToken: it opens nothing here and now.
        """
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            now = self._now()
            known = [key for key in self._held if key.kid == kid and (key.until is None or now < key.until)]
            if not known:
                raise BadToken
            claims = jwt.decode(
                token,
                known[0].public,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                # its end is looked at below, by the clock of the controller
                options={
                    "require": ["iss", "aud", "sub", "sid", "iat", "exp"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise BadToken from error
        username, sign_in_id, ends = claims["sub"], claims["sid"], claims["exp"]
        if not (isinstance(username, str) and isinstance(sign_in_id, str) and isinstance(ends, int)):
            raise BadToken
        if now.timestamp() >= ends:
            raise BadToken
        try:
            return Claims(username, sign_in_id, datetime.fromtimestamp(ends, UTC))
        except (OverflowError, ValueError, OSError) as error:  # no hour that there will be
            raise BadToken from error

    def _kept(self) -> tuple[_Entry, ...]:
        try:
            return _ENTRIES.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return ()
        except ValidationError as error:
            raise TokenKeysUnusable(self._path, "it is damaged") from error

    def _made(self) -> _Entry:
        secret = urlsafe_b64encode(secrets.token_bytes(32)).decode()
        now = self._now()
        made_at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        return _Entry(kid=secrets.token_hex(8), secret=secret, made_at=made_at)


def _held(entry: _Entry, successor: _Entry | None) -> _Held:
    private = Ed25519PrivateKey.from_private_bytes(urlsafe_b64decode(entry.secret))
    until = None if successor is None else successor.made_at + BELIEVED_AFTER
    return _Held(entry.kid, private, private.public_key(), until)
