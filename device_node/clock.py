"""What time it is for the controller, whatever the clock of this device says.

A deadline is a moment of `steady`, which nobody sets and no sleep stops; the device's own clock
decides only as long as nothing better is known. It is never set, only seen through.

Three kinds of evidence, from the controller's messages:

- Their `at` or `issued_at` has passed. The highest one seen is the *mark*: it is kept for good, and a
  command that had expired by then is expired, even if a later life of this program knows nothing else.
  So it is written down with the message that told it, before anything is done for that.
- An Ack names what was made here a moment ago, so it was written between then and now.
- A command that was issued just now says by its Message Expiry how long ago: two accounts that agree.

Replies and events are dated by this clock. Presence and heartbeats are not: they show the device's
own clock, so that the controller can see that it is wrong and say so.
"""

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Protocol

from broker.session.steady import steady
from device_node.journal import JournalUnusable

logger = logging.getLogger(__name__)

ROUGHLY = 2.0  # seconds; an expiry is told in whole ones, rounded by the sender and by the broker
ISSUED_JUST_NOW = 3.0  # seconds between issuing and arriving, for an expiry to be believed
ANSWERED_WITHIN = 4.0  # seconds; a later Ack says too little of when it was written
DRIFT = 1e-4  # of the time passed, by which the two clocks may go apart
JUMP = 1.0  # seconds; a change of the offset that is worth keeping at once
LEAP = 10.0  # seconds; the same for the mark, which passes as time does
KEEP_EVERY = 5.0  # seconds
MAX_MADE = 1_000  # ids of what may be acknowledged soon

_MARK, _OFFSET = "clock_mark", "clock_offset"


async def keep(clock: "Clock", marks: "Marks") -> None:
    """Keep what the clock learns, until cancelled."""
    since = clock.steady()
    while True:
        await asyncio.sleep(1.0)
        if not clock.jumped() and clock.steady() - since < KEEP_EVERY:
            continue
        since = clock.steady()
        try:
            await clock.save(marks)
        except JournalUnusable as trouble:
            logger.debug("Cannot keep what the clock learned: %s", trouble)


def own_time() -> datetime:
    """The device's own clock, right or wrong."""
    return datetime.now(UTC)


class Marks(Protocol):
    """Where the clock keeps what it must know in its next life."""

    async def mark(self, key: str) -> float | None: ...
    async def set_marks(self, marks: dict[str, float]) -> None: ...


class Clock:
    """One node's idea of the controller's time. It belongs to the event loop.

    Args:
        own: the device's own clock.
        steady: seconds that only go forward, sleep included.
        waited: how long a message that arrived at this moment of `steady` may have lain
            unread while this program did not run.
    """

    def __init__(
        self,
        *,
        own: Callable[[], datetime] = own_time,
        steady: Callable[[], float] = steady,
        waited: Callable[[float], float] = lambda _arrived_at: 0.0,
    ) -> None:
        self.own = own
        self.steady = steady
        self._waited = waited
        self._mark = -math.inf  # seconds since 1970, as all times of the controller here
        self._offset: float | None = None  # controller's time minus own, as an earlier life knew it
        # the controller's time minus `steady` lies between the first two, and is most likely the third
        self._low, self._high, self._likely = -math.inf, math.inf, 0.0
        self._as_of = steady()
        self._made: OrderedDict[str, float] = OrderedDict()
        self._kept: dict[str, float] = {}

    @property
    def learned(self) -> bool:
        """Whether the controller's time is known from both sides, in this life."""
        return self._high < math.inf

    @property
    def mark(self) -> float:
        """The latest moment that is certain to have passed, in seconds since 1970; 0 when none is."""
        return max(0.0, self._mark)

    @property
    def heard(self) -> dict[str, float]:
        """The mark, to be written down with what was heard."""
        return {_MARK: self._mark} if self._mark > -math.inf else {}

    def now(self) -> datetime:
        """The controller's time, as far as it is known."""
        try:
            return datetime.fromtimestamp(self._time_at(self.steady()), UTC)
        except (OverflowError, ValueError, OSError):  # a clock beyond the calendar
            return self.own()

    def deadline(
        self, expires_at: datetime, *, issued_at: datetime | None, expiry_s: int | None, arrived_at: float
    ) -> float:
        """Until when an order may start, as a moment of `steady`; not after `arrived_at` when it has expired.

        The earlier of two counts: what the broker left of its life, and `expires_at` by the
        clock. While the controller's time was not learned the first counts alone, because
        the device's own clock may be wrong by years.
        """
        until = expires_at.timestamp()
        waited = self._waited(arrived_at)
        if issued_at is not None:
            self._hear_order(issued_at.timestamp(), until, expiry_s, arrived_at, waited)
        if until < self._mark:
            return arrived_at
        if expiry_s is not None and not self.learned:
            return arrived_at + expiry_s - waited
        left = until - self._time_at(arrived_at)
        return arrived_at + (left if expiry_s is None else min(left, expiry_s))

    def made(self, message_id: str) -> None:
        """A final reply or an event was made now, for the first time in any life."""
        self._made[message_id] = self.steady()
        if len(self._made) > MAX_MADE:
            self._made.popitem(last=False)

    def acknowledged(self, at: datetime, ids: Iterable[str], *, arrived_at: float) -> None:
        """An Ack arrived: it was written at `at`, after everything that it names was made."""
        written = at.timestamp()
        made = [moment for one in ids if (moment := self._made.pop(one, None)) is not None]
        newer = written > self._mark
        self._hear(written, arrived_at)
        if newer and made and arrived_at - max(made) <= ANSWERED_WITHIN:
            self._between(written - arrived_at, written - max(made))

    def passed(self, at: datetime, *, arrived_at: float) -> None:
        """The controller wrote this moment down before the message arrived, however long before."""
        self._hear(at.timestamp(), arrived_at)

    async def load(self, marks: Marks) -> None:
        """Take over what an earlier life knew; before anything else."""
        mark, self._offset = await marks.mark(_MARK), await marks.mark(_OFFSET)
        if mark is not None:
            self._kept[_MARK] = mark
            self._hear(mark, self.steady())
        if self._offset is not None:
            self._kept[_OFFSET] = self._offset

    async def save(self, marks: Marks) -> None:
        """Keep what changed since the last time."""
        changed = {
            key: value
            for key, value in self._worth_keeping().items()
            if key not in self._kept or abs(value - self._kept[key]) > (JUMP if key == _OFFSET else 0.0)
        }
        if changed:
            await marks.set_marks(changed)
            self._kept |= changed

    def jumped(self) -> bool:
        """Whether what is known changed so much that it should be kept without delay."""
        own = self.own().timestamp()
        if self._mark > self._kept.get(_MARK, own) + LEAP:  # by a message that was dropped
            return True
        offset = self._worth_keeping().get(_OFFSET)
        return offset is not None and abs(offset - self._kept.get(_OFFSET, 0.0)) > JUMP

    def _worth_keeping(self) -> dict[str, float]:
        found = self.heard
        if self.learned:
            found[_OFFSET] = self._time_at(self.steady()) - self.own().timestamp()
        return found

    def _time_at(self, moment: float) -> float:
        if self.learned:
            return moment + min(max(self._likely, self._low), self._high)
        own = self.own().timestamp() - (self.steady() - moment)
        certain = moment + self._low
        # somebody may have set the clock right since the offset was kept; it is kept roughly
        guesses = (own + (self._offset or 0.0), own)
        fitting = (guess for guess in guesses if guess >= certain - ROUGHLY - JUMP)
        return max(certain, next(fitting, certain))

    def _hear(self, at: float, arrived_at: float) -> None:
        """The controller wrote this moment down, so it has passed."""
        self._mark = max(self._mark, at)
        self._age()
        if (low := at - arrived_at) > self._low:
            self._low, self._high = low, max(self._high, low)

    def _hear_order(
        self, issued: float, until: float, expiry_s: int | None, arrived_at: float, waited: float
    ) -> None:
        newer = issued > self._mark
        if expiry_s is None:
            if issued <= until:
                self._hear(issued, arrived_at)
            return
        told = until - expiry_s  # the time it was when the broker sent it
        if issued > told + ROUGHLY:
            return  # it contradicts itself, and teaches nothing
        self._hear(issued, arrived_at)
        vague = self._high - self._low > 2 * ROUGHLY
        if vague and newer and waited == 0.0 and told - issued <= ISSUED_JUST_NOW:
            self._between(told - ROUGHLY - arrived_at, told + ROUGHLY - arrived_at)

    def _between(self, low: float, high: float) -> None:
        """The controller's time minus `steady` lies in here."""
        self._age()
        if high - low < self._high - self._low:
            self._likely = (low + high) / 2
        both = max(self._low, low), min(self._high, high)
        if both[0] > both[1]:  # somebody set the controller's clock: what was heard last holds
            both, self._likely = (low, high), (low + high) / 2
        self._low, self._high = both

    def _age(self) -> None:
        now = self.steady()
        drift = DRIFT * max(0.0, now - self._as_of)
        self._low, self._high, self._as_of = self._low - drift, self._high + drift, now
