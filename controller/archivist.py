"""The archivist: has the oldest rows of the audit signed away, once somebody says that they are in a file.

The file is theirs; what is signed here names it by its hash. The rows go a little at a time, as
all that is cleaned does, and what is left when the program ends goes with the next cleaning.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from controller.cleaner import Cleaner
from controller.errors import OrionError
from controller.services import audit, cuts, heads
from controller.services.actors import Actor
from controller.services.cuts import SignedCut
from controller.services.heads import Head, SignedHead
from controller.store.keyring import KeyRing
from controller.store.store import Session, Store
from schemas.ids import Instance
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)


class Archivist:
    """Archives the chains of one store, in two steps: what may go, and that it is kept elsewhere."""

    def __init__(
        self,
        store: Store,
        keyring: KeyRing,
        cleaner: Cleaner,
        *,
        instance: Instance,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._cleaner = cleaner
        self._instance = instance
        self._now = now
        self._wake = asyncio.Event()

    async def offer(self, until: datetime) -> list[SignedHead]:
        """Sign the last row of each chain before which all are older than `until`; nothing goes yet."""
        rows = await self._store.read(partial(cuts.before, until=until))
        return heads.sign(rows, self._keyring.signer, by=self._instance, now=self._now())

    async def cut(self, archived: Sequence[Head], archive: str, *, actor: Actor) -> list[SignedCut]:
        """Let the rows up to these go: they are in the file with this SHA-256. Audited.

        Raises:
            NothingToCut: one of them is not there as it was archived; then nothing goes.
        """
        made = await self._store.write(partial(self._cut, archived=archived, archive=archive, actor=actor))
        self._wake.set()
        return made

    async def run(self) -> None:
        """Take away what was cut."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._cleaner.clear_archived()
            except OrionError as error:
                logger.warning("What was archived goes with the next cleaning: %s", error)

    def _cut(
        self, session: Session, *, archived: Sequence[Head], archive: str, actor: Actor
    ) -> list[SignedCut]:
        now, signer = self._now(), self._keyring.signer
        made = []
        for head in archived:
            cut = cuts.cut(session, head, archive, signer=signer, by=self._instance, now=now)
            made.append(cut)
            detail: JsonObject = {
                "instance": cut.instance,
                "position": cut.position,
                "sha256": archive,
            }
            audit.record(session, "audit.archived", now=now, actor=actor, detail=detail)
        return made
