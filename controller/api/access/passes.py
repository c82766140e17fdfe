"""What somebody came in with, so that it can be looked at again while they stay."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from controller.api.access.bearers import Unauthorized
from controller.services import standing, users
from controller.services.accounts import apikeys
from controller.services.accounts.apikeys import Shown
from controller.services.actors import Actor, Role
from controller.store.store import Session
from controller.store.tokenring import BadToken, Claims, TokenRing
from schemas.commands import Via


@dataclass(frozen=True, slots=True)
class Pass:
    """An access token or an API key; without either it is the administrator's token, which has no end."""

    claims: Claims | None = None
    key: Shown | None = None

    def look(self, session: Session, via: Via, *, now: datetime) -> tuple[Actor, datetime | None] | None:
        """Who comes in with it and until when, with the rights of now; None: nobody any more."""
        if self.key is not None:
            found = standing.by_key(session, self.key, via, now=now)
            return None if found is None else (found[0], found[1].expires_at)
        if self.claims is None:
            return Actor(users.ADMIN, Role.ADMIN, via), None
        if now >= self.claims.ends_at:
            return None
        actor = standing.by_sign_in(session, self.claims.sign_in_id, via)
        if actor is None or actor.user != self.claims.username:
            return None
        return actor, self.claims.ends_at


class Passes:
    """Reads what is shown at the door."""

    def __init__(self, ring: TokenRing, token: str) -> None:
        self._ring = ring
        self._token = token.encode()

    def of(self, shown: str) -> Pass:
        """What this is.

        Raises:
            Unauthorized: nothing that opens anything.
        """
        if secrets.compare_digest(shown.encode(), self._token):
            return Pass()
        if (key := apikeys.shown(shown)) is not None:
            return Pass(key=key)
        try:
            return Pass(claims=self._ring.read(shown))
        except BadToken:
            raise Unauthorized from None
