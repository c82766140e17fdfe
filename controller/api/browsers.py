"""By what a browser is known for a few minutes: a random cookie, and what the forms that it was given hold of it.

A form that another site makes a browser send comes without the cookie (SameSite), or without what belongs to it.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from fastapi import Request, Response

LIVES = 600  # seconds


@dataclass(frozen=True, slots=True)
class Cookie:
    """One kind of cookie of ours. `strict`: it does not come along with who arrives from another site."""

    name: str
    strict: bool = True

    def of(self, request: Request, *, encrypted: bool) -> str | None:
        """What the browser sends of it; None: nothing that could be ours."""
        found = request.cookies.get(self._named(encrypted=encrypted), "")
        return found if 20 <= len(found) <= 100 and found.isascii() else None

    def give(self, response: Response, value: str, *, encrypted: bool) -> None:
        """Have the browser keep it for a few minutes, out of the reach of scripts."""
        response.set_cookie(
            self._named(encrypted=encrypted),
            value,
            max_age=LIVES,
            path="/",
            secure=encrypted,
            httponly=True,
            samesite="strict" if self.strict else "lax",
        )

    def take(self, response: Response, *, encrypted: bool) -> None:
        """Have the browser forget it."""
        response.delete_cookie(
            self._named(encrypted=encrypted),
            path="/",
            secure=encrypted,
            httponly=True,
            samesite="strict" if self.strict else "lax",
        )

    def _named(self, *, encrypted: bool) -> str:
        # with this prefix a browser takes it from this host alone, and by TLS alone
        return f"__Host-{self.name}" if encrypted else self.name


def made() -> str:
    """A value that nobody guesses."""
    return secrets.token_urlsafe(32)


def form_of(cookie: str) -> str:
    """What a form holds that was given to the browser with this cookie."""
    return hashlib.sha256(f"form {cookie}".encode()).hexdigest()


def is_of(form: str, cookie: str) -> bool:
    """Whether the form was given to that browser."""
    return hmac.compare_digest(form.encode(), form_of(cookie).encode())
