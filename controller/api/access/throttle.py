"""How often a password may be tried: a few times at once, then ever more seldom.

Names and addresses are counted alike, whether there is such a name or not. It is held in memory: a
restart forgives, and costs whoever guesses more time than it gives back.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from controller.api.access.addresses import subscriber
from controller.errors import Refused
from schemas.errors import ErrorCode

FREE = 4  # tries that cost no wait
FIRST, MOST = 1.0, 900.0  # seconds: the wait after the next one, doubled each time, and at most
FORGIVEN = 3_600.0  # seconds without a try, after which none is counted
ADDRESS_FREE = 20  # of one address, where several people may be
MOST_KEPT = 20_000  # names and addresses


class TooManyTries(Refused):
    """Somebody has tried too often and waits."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, wait_s: float) -> None:
        self.retry_after = max(1, ceil(wait_s))
        super().__init__(f"Too many tries: wait {self.retry_after} s before the next one.")


@dataclass(slots=True)
class _Count:
    tries: int = 0
    last: float = 0.0
    free_at: float = 0.0


class Throttle:
    """Counts failed tries. `clock`: seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def begin(self, username: str, address: str) -> None:
        """A try begins; it counts as failed until it is forgiven, so that many at once are many.

        Raises:
            TooManyTries: not before some time has passed. This one is not counted.
        """
        now, keys = self._clock(), _keys(username, address)
        wait_s = max(self._known(key, now).free_at for key, _ in keys) - now
        if wait_s > 0:
            raise TooManyTries(wait_s)
        for key, free in keys:
            count = self._kept(key, now)
            count.tries += 1
            count.last = now
            beyond = count.tries - free
            count.free_at = 0.0 if beyond < 0 else now + min(FIRST * 2.0 ** min(beyond, 30), MOST)

    def forgive(self, username: str, address: str) -> None:
        """It was the right password: its name begins anew, and its address has one try less."""
        now = self._clock()
        (name, _), (place, _) = _keys(username, address)
        self._counts.pop(name, None)
        count = self._known(place, now)
        count.tries = max(0, count.tries - 1)
        count.free_at = 0.0 if count.tries < ADDRESS_FREE else count.free_at

    def _known(self, key: str, now: float) -> _Count:
        """What is counted of one, and nothing of who was forgiven or never was here. Keeps nothing new."""
        count = self._counts.get(key)
        return _Count() if count is None or now - count.last > FORGIVEN else count

    def _kept(self, key: str, now: float) -> _Count:
        count = self._counts[key] = self._known(key, now)
        self._counts.move_to_end(key)  # the latest ones are at the end
        while len(self._counts) > MOST_KEPT:
            self._counts.popitem(last=False)
        return count


def _keys(username: str, address: str) -> tuple[tuple[str, int], tuple[str, int]]:
    return (f"name {username.casefold()}", FREE), (f"address {subscriber(address)}", ADDRESS_FREE)
