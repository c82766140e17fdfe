"""The historian: gathers what devices measure for about a minute, writes it down, and condenses it.

Nothing waits for it: what the database does not take is kept for a while, and then dropped with a
word about how much. What is written down is never dropped before it is in the coarser rows.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from controller.errors import OrionError
from controller.services import metrics
from controller.services.metrics import Sample, Step
from controller.store.notices import HeartbeatsTaken, Notice, PlaceGone
from controller.store.store import Store, StoreRefused
from schemas.devices import Heartbeat

logger = logging.getLogger(__name__)

WRITE_EVERY = 10.0  # seconds
GATHERS = timedelta(seconds=60)  # values of a measure that come within this are one row
GATHERS_AT_MOST = timedelta(seconds=300)  # where there are more measures than `MANY`
MANY = 30_000  # measures of all devices: 500 rows a second
MOST = 150_000  # of them that are gathered at all: 500 rows a second again
MAX_WAITING = 200_000  # rows that wait for the database; beyond that the oldest go
BATCH = 200  # rows in one unit of the writer
REST = 0.01  # seconds between two of them, for everybody else
ENDS_WITHIN = 2.0  # seconds
FORGOTTEN_AFTER = timedelta(days=1)  # a measure that a device sends no more leaves room for another

T = TypeVar("T")
Key = tuple[str, str]


@dataclass(slots=True)
class _Gathered:
    """Values of one measure that have come since `at`, to be written down when it is `due`."""

    at: datetime
    due: datetime
    count: int
    total: float
    low: float
    high: float

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.low, self.high = min(self.low, value), max(self.high, value)


class Historian:
    """Keeps the history of one store."""

    def __init__(self, store: Store, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._now = now
        self._gathered: dict[Key, _Gathered] = {}  # by `due`, the earliest first
        self._heard: dict[str, dict[str, datetime]] = {}  # by device, its measures and when each came last
        self._waiting: deque[Sample] = deque()
        self._turn = asyncio.Lock()
        self.dropped = 0  # values that came and were not kept
        self._told = 0  # of these

    def hear(self, notice: Notice) -> None:
        """Gather what is measured."""
        if isinstance(notice, HeartbeatsTaken):
            for device_id, heartbeat, at in notice.beats:
                self._take(device_id, heartbeat, at)
        elif isinstance(notice, PlaceGone):
            self._heard.pop(notice.device_id, None)

    async def run(self) -> None:
        """Write down what is due, again and again."""
        while True:
            await asyncio.sleep(WRITE_EVERY)
            await self.write(self._now())

    async def close(self) -> None:
        """Write down all there is. Never raises for the sake of a clean stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDS_WITHIN):
                await self.write(None)

    async def write(self, until: datetime | None) -> None:
        """Write down what is due by then; None: all. What the database does not take now waits."""
        self._set_down(until)
        try:
            while self._waiting:
                await self._write_some()
                await asyncio.sleep(REST)
        except OrionError as error:
            logger.warning("What devices measured could not be stored yet: %s", error)
        self._tell_dropped()

    async def _write_some(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        try:
            await self._store.write(partial(metrics.record, samples=batch))
        except StoreRefused as error:  # for good: the rest is not to wait behind it
            self.dropped += sum(each.count for each in batch)
            logger.warning("What devices measured does not fit the database: %s", error)
        except BaseException:  # also a stop in between: what is written twice is there once
            self._waiting.extendleft(reversed(batch))
            raise

    async def condense(self) -> None:
        """Make the coarser rows of every period that is over."""
        async with self._turn:
            for step in metrics.STEPS:
                while (start := await self._due(step)) is not None:
                    await self._condense(step, start)

    async def _due(self, step: Step) -> datetime | None:
        return await self._store.read(partial(metrics.due, step=step, now=self._now()))

    async def _condense(self, step: Step, start: datetime) -> None:
        await self._store.write(partial(metrics.begin, step=step, start=start))
        rows = await self._store.read(partial(metrics.means, step=step, start=start))
        for some in _batches(rows):
            await self._store.write(partial(metrics.put, step=step, rows=some))
            await asyncio.sleep(REST)
        await self._store.write(partial(metrics.finish, step=step, start=start))

    def _take(self, device_id: str, heartbeat: Heartbeat, at: datetime) -> None:
        for measure, value in metrics.of(heartbeat).items():
            if not self._admits(device_id, measure, at):
                self.dropped += 1
                continue
            found = self._gathered.get((device_id, measure))
            if found is not None and found.at <= at < found.due:
                found.add(value)
                continue
            if found is not None:
                self._set_aside((device_id, measure))
            self._gathered[device_id, measure] = _Gathered(at, self._due_by(at), 1, value, value, value)

    def _due_by(self, at: datetime) -> datetime:
        """When what came at that moment is to be written down: no row is of two periods."""
        finest = metrics.STEPS[0]
        gathers = GATHERS if len(self._gathered) < MANY else GATHERS_AT_MOST
        return min(at + gathers, finest.period(at) + finest.length)

    def _admits(self, device_id: str, measure: str, at: datetime) -> bool:
        """Whether a measure is gathered: a device has so many, whatever names it makes up."""
        known = self._heard.setdefault(device_id, {})
        if measure not in known:
            if len(known) >= metrics.MAX_MEASURES:
                for each in [name for name, last in known.items() if last < at - FORGOTTEN_AFTER]:
                    del known[each]
            if len(known) >= metrics.MAX_MEASURES or len(self._gathered) >= MOST:
                return False
        known[measure] = at
        return True

    def _set_down(self, until: datetime | None) -> None:
        due: list[Key] = []
        for key, found in self._gathered.items():
            if until is not None and found.due > until:
                break
            due.append(key)
        for key in due:
            self._set_aside(key)

    def _set_aside(self, key: Key) -> None:
        found = self._gathered.pop(key)
        mean = min(max(found.total / found.count, found.low), found.high)
        self._waiting.append(Sample(*key, found.at, found.count, mean, found.low, found.high))
        if len(self._waiting) > MAX_WAITING:
            self.dropped += self._waiting.popleft().count

    def _tell_dropped(self) -> None:
        if self.dropped > self._told:
            logger.warning(
                "%d values that devices measured were dropped: more than can be kept",
                self.dropped - self._told,
            )
            self._told = self.dropped


def _batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
