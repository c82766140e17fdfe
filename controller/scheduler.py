"""The clock: what has to happen because time has passed.

Nobody is blamed for a time in which the controller itself did not listen.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from controller.errors import OrionError
from controller.services import approvals, devices, memories, mqtt_inputs, settling
from controller.store.store import Store

logger = logging.getLogger(__name__)

SWEEP_EVERY = 1.0  # seconds
BACK_UP_AFTER = timedelta(minutes=5)  # from the start until it is looked whether a backup is due
CLEAN_AFTER = timedelta(minutes=10)  # from the start until the store is cleaned for the first time
CONDENSE_EVERY = 60.0  # seconds
MAX_GAP = 5.0  # seconds between two sweeps; a longer one is a sleep of ours


class Scheduler:
    """Runs the sweeps of one controller.

    Args:
        heartbeat_s: how often devices send a sign of life, unless they show another pace.
        listening: whether what devices say reaches the controller now.
        clean: what is to be done once a day, to keep the store small.
        condense: what is to be done now and then with what devices measured.
        back_up: what makes a backup if one is due; asked every hour.
        losses: how often the line to them was lost; a short loss may fall between two looks.
    """

    def __init__(
        self,
        store: Store,
        *,
        heartbeat_s: float = 30.0,
        listening: Callable[[], bool] = lambda: True,
        losses: Callable[[], int] = lambda: 0,
        clean: Callable[[], Awaitable[object]] | None = None,
        condense: Callable[[], Awaitable[object]] | None = None,
        back_up: Callable[[], Awaitable[object]] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._heartbeat_s = heartbeat_s
        self._listening = listening
        self._losses = losses
        self._clean = clean
        self._condense = condense
        self._back_up = back_up
        self._lost = losses()
        self._now = now
        self._looked_at = self._watching_since = self._listening_since = now()
        # a sweep that finds the one before still at work is left out, which nobody needs to read
        quiet = logging.getLogger(f"{__name__}.clock")
        quiet.setLevel(logging.ERROR)
        self._clock = AsyncIOScheduler(timezone=UTC, logger=quiet)

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
        if self._clean is not None:
            soon = datetime.now(UTC) + CLEAN_AFTER  # a computer that is on by day only is cleaned too
            self._clock.add_job(
                self.clean, "interval", days=1, coalesce=True, max_instances=1, next_run_time=soon
            )
        if self._condense is not None:
            self._clock.add_job(
                self.condense,
                "interval",
                seconds=CONDENSE_EVERY,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )
        if self._back_up is not None:
            soon = datetime.now(UTC) + BACK_UP_AFTER
            self._clock.add_job(
                self._back_up, "interval", hours=1, coalesce=True, max_instances=1, next_run_time=soon
            )
        self._clock.start()

    def stop(self) -> None:
        """End; a sweep that runs is finished by the store."""
        if self._clock.running:
            self._clock.shutdown(wait=False)

    async def clean(self) -> None:
        """Do what is done once a day; a store that does not take it now is cleaned the next day."""
        if self._clean is None:
            return
        try:
            await self._clean()
        except OrionError as error:
            logger.warning("The store was not cleaned: %s", error)

    async def condense(self) -> None:
        """Make fewer rows of what devices measured; what the store does not take now is done the next time."""
        if self._condense is None:
            return
        try:
            await self._condense()
        except OrionError as error:
            logger.warning("What devices measured was not condensed yet: %s", error)

    async def sweep(self) -> None:
        """Do what is due. Looks beside the writer first: mostly there is nothing."""
        try:
            self._note_listening()
            watch = settling.Watch(self._watching_since, self._listening_since)
            if await self._store.read(partial(settling.due, now=self._now(), watch=watch)):
                await self._store.write(partial(settling.expire, now=self._now(), watch=watch))
            if await self._store.read(partial(approvals.due, now=self._now())):
                await self._store.write(partial(approvals.expire, now=self._now()))
            if await self._store.read(partial(mqtt_inputs.old, now=self._now())):
                await self._store.write(partial(mqtt_inputs.forget, now=self._now()))
            if await self._store.read(partial(memories.expired, now=self._now())):
                await self._store.write(partial(memories.drop_expired, now=self._now()))
            await self._look_for_silence()
            if await self._store.read(partial(devices.conflicts_over, now=self._now())):
                await self._store.write(partial(devices.end_conflicts, now=self._now()))
        except OrionError as error:
            self._listening_since = self._now()  # what could not be stored was not heard either
            logger.warning("A sweep failed and is tried again: %s", error)

    def _note_listening(self) -> None:
        now = self._now()
        gap = (now - self._looked_at).total_seconds()
        self._looked_at = now
        slept = not 0.0 <= gap <= MAX_GAP
        if slept:
            self._watching_since = now
        before, self._lost = self._lost, self._losses()
        if slept or self._lost != before or not self._listening():
            self._listening_since = now

    async def _look_for_silence(self) -> None:
        now, every_s, since = self._now(), self._heartbeat_s, self._listening_since
        if await self._store.read(
            partial(devices.silent, now=now, heartbeat_s=every_s, listening_since=since)
        ):
            work = partial(devices.call_stale, now=now, heartbeat_s=every_s, listening_since=since)
            await self._store.write(work)
