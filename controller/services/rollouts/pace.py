"""How fast the commands of a group may leave: pure, from what is stored.

In no second leave more than `rate_per_s` and one, however late or seldom anybody looks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_IN_FLIGHT = 20  # unless somebody says otherwise: quick for hundreds, and a fault meets few
FASTEST = 1_000.0  # commands a second that may be asked for
SLOWEST = 1 / 3_600
SLACK = timedelta(seconds=0.05)  # so much lateness is made up for; the period is longer by that share


@dataclass(frozen=True, slots=True)
class Pace:
    """The limits of one order to a group; None: no such limit."""

    rate_per_s: float | None = None
    max_in_flight: int | None = MAX_IN_FLIGHT
    stop_after: int | None = None  # failures

    def room(self, in_flight: int) -> int | None:
        """How many more may be on the way; None: any number."""
        return None if self.max_in_flight is None else max(0, self.max_in_flight - in_flight)

    def has_failed(self, failures: int) -> bool:
        """Whether so many failures are enough to stop."""
        return self.stop_after is not None and failures >= self.stop_after

    def due_at(self, next_at: datetime | None, now: datetime) -> datetime:
        """When the next may leave. A clock that was set back makes nobody wait longer than a period."""
        if next_at is None or self.rate_per_s is None:
            return now
        return min(next_at, now + self._period(self.rate_per_s))

    def after(self, next_at: datetime | None, now: datetime) -> datetime | None:
        """When the next but one may leave, once this one leaves now."""
        if self.rate_per_s is None:
            return None
        return max(self.due_at(next_at, now), now - SLACK) + self._period(self.rate_per_s)

    def _period(self, rate_per_s: float) -> timedelta:
        return (timedelta(seconds=1) + SLACK) / rate_per_s
