"""How fast one person may speak: a burst, then one message every few seconds.

What comes faster is answered with a refusal, and what comes much faster is not even written down.
"""

from collections.abc import Callable
from enum import Enum, auto
from time import monotonic

BURST = 10.0  # messages at once
EVERY = 3.0  # seconds until one more is allowed
REFUSED_AT_MOST = 50.0  # messages beyond that which are answered; they count against what comes later
MAX_REMEMBERED = 10_000  # speakers


class Pace(Enum):
    """What becomes of a message because of those before it."""

    TAKEN = auto()
    REFUSED = auto()
    DROPPED = auto()


class Paces:
    """What each speaker has left; of requests and of decisions apart."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._left: dict[tuple[str, str], tuple[float, float]] = {}  # what is left, and since when

    def judge(self, username: str, kind: str) -> Pace:
        """Count one message of this person."""
        now = self._clock()
        if len(self._left) >= MAX_REMEMBERED:
            self._left.clear()
        left, since = self._left.get((username, kind), (BURST, now))
        left = min(BURST, left + (now - since) / EVERY)
        pace = Pace.DROPPED if left <= -REFUSED_AT_MOST else Pace.TAKEN if left >= 1.0 else Pace.REFUSED
        self._left[username, kind] = (left if pace is Pace.DROPPED else left - 1.0, now)
        return pace
