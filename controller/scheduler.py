"""The clock: what has to happen because time has passed.

Nobody is blamed for a time in which the controller itself did not listen.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from controller import timetable
from controller.errors import OrionError
from controller.services import approvals, devices, memories, mqtt_inputs, schedules, settling
from controller.store.store import Session, Store

logger = logging.getLogger(__name__)

SWEEP_EVERY = 1.0  # seconds
MAX_GAP = 5.0  # seconds between two sweeps; a longer one is a sleep of ours


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done now and then; what the store does not take now is done the next time."""

    name: str
    work: Callable[[], Awaitable[object]]
    every: timedelta
    after: (
        timedelta  # from the start until the first time: a computer that is on by day only has its turn too
    )

    async def run(self) -> None:
        """Do it once."""
        try:
            await self.work()
        except OrionError as error:
            logger.warning("%s did not work and is tried again: %s", self.name, error)


Duty = tuple[Callable[[Session], object], Callable[[Session], object]]


class Scheduler:
    """Runs the sweeps of one controller, and its jobs.

    Args:
        heartbeat_s: how often devices send a sign of life, unless they show another pace.
        listening: whether what devices say reaches the controller now.
        losses: how often the line to them was lost; a short loss may fall between two looks.
        jobs: what else is done now and then.
    """

    def __init__(
        self,
        store: Store,
        *,
        heartbeat_s: float = 30.0,
        listening: Callable[[], bool] = lambda: True,
        losses: Callable[[], int] = lambda: 0,
        jobs: Sequence[Job] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._heartbeat_s = heartbeat_s
        self._listening = listening
        self._losses = losses
        self._jobs = jobs
        self._lost = losses()
        self._now = now
        self._looked_at = self._watching_since = self._listening_since = now()
        self._clock_was_set = True  # while we were not here, for all that we know
        # a sweep that finds the one before still at work is left out, which nobody needs to read
        quiet = logging.getLogger(f"{__name__}.clock")
        quiet.setLevel(logging.ERROR)
        self._clock = AsyncIOScheduler(
            timezone=UTC, logger=quiet, job_defaults={"coalesce": True, "misfire_grace_time": None}
        )

    def start(self) -> None:
        """Begin; what is late or still running is not doubled."""
        self._clock.add_job(self.sweep, "interval", seconds=SWEEP_EVERY)
        for job in self._jobs:
            first = datetime.now(UTC) + job.after
            self._clock.add_job(job.run, "interval", seconds=job.every.total_seconds(), next_run_time=first)
        self._clock.start()

    def stop(self) -> None:
        """End; a sweep that runs is finished by the store."""
        if self._clock.running:
            self._clock.shutdown(wait=False)

    async def sweep(self) -> None:
        """Do what is due. Looks beside the writer first, in one go: mostly there is nothing."""
        try:
            self._note_listening()
            for work in await self._store.read(partial(_due, duties=self._duties())):
                await self._store.write(work)
            await self._plan_anew()
            await self._run_schedules(self._now())
        except OrionError as error:
            self._listening_since = self._now()  # what could not be stored was not heard either
            logger.warning("A sweep failed and is tried again: %s", error)

    async def _plan_anew(self) -> None:
        """A clock that was far ahead and is right again leaves schedules that wait for a time out of reach."""
        if not self._clock_was_set:
            return
        told: dict[str, Any] = {"now": self._now(), "following": timetable.following}
        for schedule_id in await self._store.read(partial(schedules.astray, **told)):
            await self._store.write(partial(schedules.plan_anew, schedule_id=schedule_id, **told))
        self._clock_was_set = False

    async def _run_schedules(self, now: datetime) -> None:
        for schedule_id in await self._store.read(partial(schedules.due, now=now)):
            run = partial(schedules.run, schedule_id=schedule_id, now=now, following=timetable.following)
            try:
                await self._store.write(run)
            except OrionError:
                raise
            except Exception:  # a fault of ours in one is no reason to leave out the others
                logger.exception("The schedule %s could not be run", schedule_id)

    def _duties(self) -> list[Duty]:
        """What tells whether something is due, and what does it."""
        now = self._now()
        watch = settling.Watch(self._watching_since, self._listening_since)
        every_s, since = self._heartbeat_s, self._listening_since
        return [
            (partial(settling.due, now=now, watch=watch), partial(settling.expire, now=now, watch=watch)),
            (partial(approvals.due, now=now), partial(approvals.expire, now=now)),
            (partial(mqtt_inputs.old, now=now), partial(mqtt_inputs.forget, now=now)),
            (partial(memories.expired, now=now), partial(memories.drop_expired, now=now)),
            (
                partial(devices.silent, now=now, heartbeat_s=every_s, listening_since=since),
                partial(devices.call_stale, now=now, heartbeat_s=every_s, listening_since=since),
            ),
            (partial(devices.conflicts_over, now=now), partial(devices.end_conflicts, now=now)),
        ]

    def _note_listening(self) -> None:
        now = self._now()
        gap = (now - self._looked_at).total_seconds()
        self._looked_at = now
        slept = not 0.0 <= gap <= MAX_GAP
        if slept:
            self._watching_since = now
            self._clock_was_set = True
        before, self._lost = self._lost, self._losses()
        if slept or self._lost != before or not self._listening():
            self._listening_since = now


def _due(session: Session, *, duties: Sequence[Duty]) -> list[Callable[[Session], object]]:
    return [work for is_due, work in duties if is_due(session)]
