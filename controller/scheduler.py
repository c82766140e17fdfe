"""The clock: what has to happen because time has passed."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from controller.errors import OrionError
from controller.services import approvals, settling
from controller.store.store import Store

logger = logging.getLogger(__name__)

SWEEP_EVERY = 1.0  # seconds


class Scheduler:
    """Runs the sweeps of one controller."""

    def __init__(self, store: Store, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._now = now
        self._clock = AsyncIOScheduler(timezone=UTC)

    def start(self) -> None:
        """Begin; a sweep that is late or still running is not doubled."""
        self._clock.add_job(
            self.sweep,
            "interval",
            seconds=SWEEP_EVERY,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
        self._clock.start()

    def stop(self) -> None:
        """End; a sweep that runs is finished by the store."""
        if self._clock.running:
            self._clock.shutdown(wait=False)

    async def sweep(self) -> None:
        """Settle what has expired. Looks beside the writer first: mostly there is nothing."""
        try:
            for service in (settling, approvals):
                due: Callable[..., Any] = service.due
                if await self._store.read(partial(due, now=self._now())):
                    await self._store.write(partial(service.expire, now=self._now()))
        except OrionError as error:
            logger.warning("A sweep failed and is tried again: %s", error)
