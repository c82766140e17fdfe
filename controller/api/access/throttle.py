"""How often a password may be tried: a few times at once, then ever more seldom.

What counts is the name tried from one address, so that nobody makes somebody else wait from afar. An
address for all its names, and a name for all addresses, are counted too, with room. Names are counted
alike, whether there is such a name or not. It is held in memory: a restart forgives, and costs whoever
guesses more time than it gives back.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from controller.api.access.addresses import subscriber
from controller.errors import Refused
from schemas.errors import ErrorCode

FREE = 4  # tries of a name from an address that cost no wait
FIRST, MOST = 1.0, 900.0  # seconds: the wait after the next one, doubled each time, and at most
FORGIVEN = 3_600.0  # seconds without a try, after which none is counted
ADDRESS_FREE = 20  # of one address, where several people may be
NAME_FREE = 200  # of one name from everywhere: nobody mistypes so often, and many addresses do not guess more
MOST_KEPT = 30_000  # names, addresses, and both


class TooManyTries(Refused):
    """Somebody has tried too often and waits."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, wait_s: float) -> None:
        self.retry_after = max(1, ceil(wait_s))
        super().__init__(f"Too many tries: wait {self.retry_after} s before the next one.")


_Key = tuple[str | None, str | None]  # name and address; None: whichever


@dataclass(slots=True)
class _Count:
    tries: int = 0
    last: float = 0.0
    free_at: float = 0.0


class Throttle:
    """Counts failed tries. `clock`: seconds that only grow; `name_free`: tries of one name, wherever they come from."""

    def __init__(self, clock: Callable[[], float], *, name_free: int = NAME_FREE) -> None:
        self._clock = clock
        self._name_free = name_free
        self._counts: OrderedDict[_Key, _Count] = OrderedDict()

    def begin(self, username: str, address: str) -> None:
        """A try begins; it counts as failed until it is forgiven, so that many at once are many.

        Raises:
            TooManyTries: not before some time has passed. This one is not counted.
        """
        now, keys = self._clock(), self._keys(username, address)
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
        """It was the right password: this name begins anew here, and has one try less in all, as its address."""
        now = self._clock()
        (both, _), *wider = self._keys(username, address)
        self._counts.pop(both, None)
        for key, free in wider:
            count = self._known(key, now)
            count.tries = max(0, count.tries - 1)
            count.free_at = 0.0 if count.tries < free else count.free_at

    def forget(self, username: str) -> None:
        """Somebody who may has said that this name begins anew, wherever it was tried from."""
        name = username.casefold()
        for key in [key for key in self._counts if key[0] == name]:
            del self._counts[key]

    def _keys(self, username: str, address: str) -> tuple[tuple[_Key, int], ...]:
        name, place = username.casefold(), subscriber(address)
        return ((name, place), FREE), ((None, place), ADDRESS_FREE), ((name, None), self._name_free)

    def _known(self, key: _Key, now: float) -> _Count:
        """What is counted of one, and nothing of who was forgiven or never was here. Keeps nothing new."""
        count = self._counts.get(key)
        return _Count() if count is None or now - count.last > FORGIVEN else count

    def _kept(self, key: _Key, now: float) -> _Count:
        count = self._counts[key] = self._known(key, now)
        self._counts.move_to_end(key)  # the latest ones are at the end
        while len(self._counts) > MOST_KEPT:
            self._counts.popitem(last=False)
        return count
