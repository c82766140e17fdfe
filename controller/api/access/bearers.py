"""Whose token it is that somebody shows, and what they may at this moment.

It is looked up in the database, and not again until anything there changes that could say otherwise:
a role, a grant, a key, a sign-in.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

from controller.api.access import passes
from controller.api.access.passes import Holder
from controller.api.access.refusals import Unauthorized
from controller.services.accounts import apikeys
from controller.services.actors import Actor
from controller.store.freshness import Kept
from controller.store.store import Store
from controller.store.tokenring import TokenRing
from schemas.commands import Via

TABLES = ("users", "grants", "api_keys", "sign_ins")


class Bearers:
    """Knows who shows a token. `clock`: seconds that only grow; `now`: the hour."""

    def __init__(
        self, store: Store, ring: TokenRing, *, clock: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._ring = ring
        self._now = now
        self._known: Kept[bytes, Holder] = Kept(store.freshness, *TABLES, clock=clock)

    async def actor_of(self, token: str, via: Via) -> Actor:
        """Who shows this token or API key, with the rights of now.

        Raises:
            Unauthorized: nobody who may come in.
        """
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is None:
            stamp = self._known.stamp()
            known = await self._looked_up(token)
            self._known.keep(stamp, digest, known)
        if known.until is not None and self._now() >= known.until:
            raise Unauthorized
        return known.actor if known.actor.via is via else replace(known.actor, via=via)

    async def _looked_up(self, token: str) -> Holder:
        shown, now = passes.read(self._ring, token), self._now()
        found = await self._store.ask(partial(shown.look, via=Via.API, now=now))
        if found is None:
            raise Unauthorized
        if shown.key is not None and (found.used_at is None or now - found.used_at >= apikeys.USED_AGAIN):
            self._store.write_soon(partial(apikeys.note_use, key_id=shown.key.key_id, now=now))
        return found
