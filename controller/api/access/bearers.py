"""Whose token it is that somebody shows, and what they may at this moment.

It is looked up in the database, and not again until anything there changes that could say otherwise:
a role, a grant, a key, a sign-in.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from controller.errors import Refused
from controller.services import standing
from controller.services.accounts import apikeys
from controller.services.accounts.apikeys import Shown
from controller.services.actors import Actor
from controller.store.freshness import Kept
from controller.store.store import Store
from controller.store.tokenring import BadToken, TokenRing
from schemas.commands import Via

TABLES = ("users", "grants", "api_keys", "sign_ins")


class Unauthorized(Refused):
    """The request carries no token that is known here."""

    def __init__(self) -> None:
        super().__init__(
            "A valid token is needed: sign in with `orion login`. On the controller's own computer `orion` reads "
            "it from the data folder's token file."
        )


@dataclass(frozen=True, slots=True)
class _Known:
    actor: Actor
    until: datetime | None  # from when on the token itself opens nothing


class Bearers:
    """Knows who shows a token. `clock`: seconds that only grow; `now`: the hour."""

    def __init__(
        self, store: Store, ring: TokenRing, *, clock: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._ring = ring
        self._now = now
        self._known: Kept[bytes, _Known] = Kept(store.freshness, *TABLES, clock=clock)

    async def actor_of(self, token: str, via: Via) -> Actor:
        """Who shows this token or API key, with the rights of now.

        Raises:
            Unauthorized: nobody who may come in.
        """
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is None:
            stamp = self._known.stamp()
            shown = apikeys.shown(token)
            known = await (self._signed_in(token) if shown is None else self._program(shown))
            self._known.keep(stamp, digest, known)
        if known.until is not None and self._now() >= known.until:
            raise Unauthorized
        return known.actor if known.actor.via is via else replace(known.actor, via=via)

    async def _signed_in(self, token: str) -> _Known:
        try:
            claims = self._ring.read(token)
        except BadToken:
            raise Unauthorized from None
        look = partial(standing.by_sign_in, sign_in_id=claims.sign_in_id, via=Via.API)
        actor = await self._store.ask(look)
        if actor is None or actor.user != claims.username:
            raise Unauthorized
        return _Known(actor, claims.ends_at)

    async def _program(self, shown: Shown) -> _Known:
        now = self._now()
        found = await self._store.ask(partial(standing.by_key, shown=shown, via=Via.API, now=now))
        if found is None:
            raise Unauthorized
        actor, key = found
        if key.last_used_at is None or now - key.last_used_at >= apikeys.USED_AGAIN:
            self._store.write_soon(partial(apikeys.note_use, key_id=key.id, now=now))
        return _Known(actor, key.expires_at)
