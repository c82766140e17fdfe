"""The proof of a controller: that it knows its owner's token, said without the token.

Whoever listens at its port may ask it the same question, and so may whoever pretends to be it. The
answer therefore covers where the question arrived: passed on from another port or address it is wrong.
"""

import hmac
import secrets

DOMAIN = "orion controller proof 1"
NONCE = r"^[A-Za-z0-9_-]{32,64}$"
NONCE_BYTES = 32
LEAST_TOKEN = 32  # characters: a proof lets whoever has it try guesses at home


def nonce() -> str:
    """What no answer was ever given to."""
    return secrets.token_urlsafe(NONCE_BYTES)


def made(token: str, asked: str, address: str, port: int) -> str:
    """The answer to a nonce that arrived at this address and port: HMAC-SHA256, in hex."""
    text = "\n".join((DOMAIN, asked, address, str(port)))
    return hmac.digest(token.encode(), text.encode(), "sha256").hex()


def fits(shown: str, token: str, asked: str, address: str, port: int) -> bool:
    """Whether this is that answer; how long it takes tells nothing."""
    given = shown.encode(errors="backslashreplace")  # it may be anything
    return hmac.compare_digest(given, made(token, asked, address, port).encode())
