"""How many turns of the assistant run at once over HTTP, and of those how many are one user's."""

from collections import Counter

from controller.api.access.buckets import TooOften

MOST = 16
MOST_OF_ONE = 4
AGAIN_AFTER = 5.0  # seconds


class Turns:
    """Counts the turns that run."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()

    def begin(self, user: str) -> None:
        """Count one more, until it is said to have ended.

        Raises:
            TooOften: enough run. This one is not counted.
        """
        if self._running[user] >= MOST_OF_ONE:
            raise TooOften("Your other requests are still at work", AGAIN_AFTER)
        if self._running.total() >= MOST:
            raise TooOften("Too many requests are at work", AGAIN_AFTER)
        self._running[user] += 1

    def end(self, user: str) -> None:
        """One of this user's is over."""
        self._running[user] -= 1
        self._running += Counter()  # drops who has none
