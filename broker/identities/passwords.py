"""Passwords as Mosquitto 2 keeps them."""

import base64
import hashlib
import hmac
import secrets

# Every password is a random token of 256 bits: more rounds would slow each connect down,
# in a broker of one thread, and protect nothing.
ROUNDS = 101


def new_password() -> str:
    """A random token of 256 bits."""
    return secrets.token_urlsafe(32)


def hash_password(password: str) -> str:
    """A password as Mosquitto 2 keeps it: `$7$`, PBKDF2 over SHA-512, rounds, salt, digest."""
    return _hashed(password, secrets.token_bytes(12), ROUNDS)


def verify_password(password: str, password_hash: str) -> bool:
    """Whether a password is the one that was hashed."""
    try:
        _, kind, rounds, salt, _ = password_hash.split("$")
        again = _hashed(password, base64.b64decode(salt), int(rounds))
    except ValueError:
        return False
    return kind == "7" and hmac.compare_digest(again, password_hash)


def _hashed(password: str, salt: bytes, rounds: int) -> str:
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
