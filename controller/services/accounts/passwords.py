"""Passwords as they are kept: Argon2id by OWASP's figures, made anew when those change.

Hashing takes some 20 ms of a core and 19 MiB, so call it off the event loop and outside a transaction.
"""

import secrets
from datetime import datetime, timedelta

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from controller.errors import InvalidArguments

SHORTEST, LONGEST = 12, 256  # characters
ONCE_WITHIN = timedelta(days=7)  # in which a password for one sign-in is used, or never
# OWASP's Password Storage Cheat Sheet: 19 MiB, two passes, one lane
_HASHER = PasswordHasher(
    time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none looks like another one
_GROUPS, _GROUP = 4, 5
# what nobody has: for a name that is not there, so that the answer takes as long
_NOBODYS = _HASHER.hash(secrets.token_urlsafe(32))


def hashed(password: str) -> str:
    """A password as it is kept.

    Raises:
        InvalidArguments: it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidArguments(
            f"A password has {SHORTEST} to {LONGEST} characters; a few words that only you would put together are good."
        )
    return _HASHER.hash(password)


def fits(password: str, kept: str | None) -> bool:
    """Whether this is the password that is kept so. None: nobody's, and takes as long to say."""
    try:
        _HASHER.verify(kept or _NOBODYS, password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether it was made by other figures than those of now."""
    return _HASHER.check_needs_rehash(kept)


def has_run_out(made_at: datetime | None, *, now: datetime) -> bool:
    """Whether a password for one sign-in that was made then opens nothing any more."""
    return made_at is None or now - made_at >= ONCE_WITHIN


def once() -> str:
    """A password for one sign-in: 98 bits, to be read aloud or typed."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)
