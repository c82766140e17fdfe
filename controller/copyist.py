"""The copyist: backs up by itself, when the last backup is old enough.

What is due follows from the files that are there, so a restart neither forgets nor repeats one. A
backup that cannot be made is told in the log and in the audit, and tried again an hour later.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.errors import OrionError
from controller.services import audit
from controller.store import backups
from controller.store.backups import Made, NotBackedUp, Source
from controller.store.store import Store
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)

EARLY = timedelta(minutes=30)  # that a backup may come before its time, rather than an hour late


@dataclass(frozen=True, slots=True)
class Plan:
    """Where backups go, how often one is made, and how long it is kept; None is for ever."""

    folder: Path
    every: timedelta
    keep: timedelta | None

    @classmethod
    def of(cls, folder: Path | None, *, hours: int, keep_days: int) -> "Plan | None":
        """The same in numbers; None where no backup is wanted."""
        if folder is None or not hours:
            return None
        return cls(folder, timedelta(hours=hours), timedelta(days=keep_days) if keep_days else None)


class Copyist:
    """Keeps the backups of one controller."""

    def __init__(
        self,
        store: Store,
        source: Source,
        plan: Plan | None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._source = source
        self._plan = plan
        self._now = now
        self._stopping = threading.Event()
        self._failed = False

    def stop(self) -> None:
        """Give up what is being made: a controller that stops does not wait for it."""
        self._stopping.set()

    async def back_up_if_due(self) -> Made | None:
        """Make a backup if there is no young one, and delete those that are kept no longer. Never raises."""
        if self._plan is None:
            return None
        try:
            made = await asyncio.to_thread(self._make, self._plan)
            if made is not None:
                await self._note("store.backed_up", {"file": made.path.name, "bytes": made.size})
                logger.info("Backed up to %s", made.path)
            self._failed = False
        except (OrionError, OSError) as error:
            if not self._stopping.is_set():
                logger.warning("No backup was made: %s ORION_BACKUP_HOURS=0 makes none at all", error)
                await self._note_failure(str(error))
            return None
        return made

    def _make(self, plan: Plan) -> Made | None:
        plan.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = self._now()
        newest = next(iter(backups.of(self._source.instance, plan.folder)), None)
        if newest is not None and newest.manifest is not None:
            age = now - newest.manifest.made_at
            if timedelta(0) <= age < plan.every - EARLY:
                return None
        made = backups.make(self._source, plan.folder, now=now, tell=self._go_on)
        if plan.keep is not None:
            for gone in backups.prune(plan.folder, made.manifest, before=now - plan.keep):
                logger.info("Deleted the backup %s", gone)
        return made

    def _go_on(self, _what: str, _done: int, _total: int) -> None:
        if self._stopping.is_set():
            raise NotBackedUp("The controller stops.")

    async def _note_failure(self, reason: str) -> None:
        if not self._failed:  # once, however often it is tried again
            self._failed = True
            try:
                await self._note("store.backup_failed", {"reason": reason})
            except OrionError as error:
                logger.warning("That no backup was made could not be recorded: %s", error)

    async def _note(self, action: str, detail: JsonObject) -> None:
        await self._store.write(lambda session: audit.record(session, action, now=self._now(), detail=detail))
