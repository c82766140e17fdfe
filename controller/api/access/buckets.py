"""How often somebody may ask: a bucket each of so many requests, that fills again at a steady rate.

It is held in memory, the latest ones of a bounded number: who was not heard of for long has a full one.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from controller.errors import Refused
from schemas.errors import ErrorCode

MOST_KEPT = 20_000  # users and addresses
PRIVILEGE = 10  # times what one user may: of the computer's owner, and of an address that many may share


class TooOften(Refused):
    """Somebody asks more often than they may, and waits."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, sentence: str, wait_s: float) -> None:
        self.retry_after = max(1, ceil(wait_s))
        super().__init__(f"{sentence}: wait {self.retry_after} s before the next one.")


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Buckets:
    """Counts requests. `rate`: of each a second for long, 0 for no limit; `burst`: at once. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float], *, rate: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str) -> float:
        """Count a request; how long it has to wait, which is 0 where it need not. One that waits is not counted."""
        if not self._rate:
            return 0.0
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._burst, now)
            if len(self._buckets) > MOST_KEPT:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)  # the latest ones are at the end
            bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._rate)
            bucket.at = now
        if bucket.left < 1.0:
            return (1.0 - bucket.left) / self._rate
        bucket.left -= 1.0
        return 0.0


class Quota:
    """What users, and the owner of the token file, may ask. `rate` and `burst` are those of one user."""

    def __init__(self, clock: Callable[[], float], *, rate: float, burst: float) -> None:
        self._of_users = Buckets(clock, rate=rate, burst=burst)
        self._of_owner = Buckets(clock, rate=rate * PRIVILEGE, burst=burst * PRIVILEGE)

    def spend(self, user: str | None) -> None:
        """Count a request of a user, or of the owner.

        Raises:
            TooOften: they have used up theirs.
        """
        wait_s = self._of_owner.take("") if user is None else self._of_users.take(user)
        if wait_s:
            raise TooOften("Too many requests", wait_s)
