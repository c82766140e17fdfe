"""What somebody came in with: who that is, at the door and whenever it is looked at again while they stay."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from controller.api.access.refusals import Unauthorized
from controller.services import standing, users
from controller.services.accounts import apikeys
from controller.services.accounts.apikeys import Shown
from controller.services.actors import Actor, Role
from controller.store.store import Session
from controller.store.tokenring import BadToken, Claims, TokenRing
from schemas.commands import Via


@dataclass(frozen=True, slots=True)
class Holder:
    """Who comes in, until when what they show opens anything, and when a key was used last."""

    actor: Actor
    until: datetime | None = None
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """An access token or an API key; without either it is the administrator's token, which has no end."""

    claims: Claims | None = None
    key: Shown | None = None

    def look(self, session: Session, via: Via, *, now: datetime) -> Holder | None:
        """Who comes in with it, with the rights of now; None: nobody any more. One statement at most."""
        if self.key is not None:
            found = standing.by_key(session, self.key, via, now=now)
            return None if found is None else Holder(found[0], found[1].expires_at, found[1].last_used_at)
        if self.claims is None:
            return Holder(Actor(users.ADMIN, Role.ADMIN, via))
        if now >= self.claims.ends_at:
            return None
        actor = standing.by_sign_in(session, self.claims.sign_in_id, via)
        if actor is None or actor.user != self.claims.username:
            return None
        return Holder(actor, self.claims.ends_at)


def read(ring: TokenRing, shown: str) -> Pass:
    """What somebody shows who is not the administrator by token.

    Raises:
        Unauthorized: nothing that opens anything.
    """
    if (key := apikeys.shown(shown)) is not None:
        return Pass(key=key)
    try:
        return Pass(claims=ring.read(shown))
    except BadToken:
        raise Unauthorized from None


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
        return read(self._ring, shown)
