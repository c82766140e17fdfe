"""How much each device sends: a bucket that every message fills and that runs empty at the allowed pace.

Pure: the hour is always given. An honest device may come back with all that it kept while it
was away, so a bucket holds a whole spool before it runs over. Whose bucket is empty is not
remembered.
"""

from dataclasses import dataclass
from enum import IntEnum

BACKLOG = 12_000  # messages at once: a device's spool holds 10,000, and some are sent twice
BACKLOG_BYTES = 80 * 1024 * 1024  # of a spool's 64 MiB
PATIENCE = 10.0  # seconds' worth of messages beyond a bucket's rim; who sends more is far over
LEAST_PATIENCE = 10.0  # messages; where the allowed pace is very small
# what the broker keeps for a controller that is away: it comes at once, and nobody is flooding
QUEUED = 200_000
QUEUED_BYTES = 256 * 1024 * 1024
MOST_EXPECTED = 8_000  # messages that commands may bring, however many were sent
MOST_EXPECTED_BYTES = 64 * 1024 * 1024
MOST_REMEMBERED = 20_000  # devices


class Standing(IntEnum):
    """How what a device sends compares to what it may."""

    WITHIN = 0
    OVER = 1
    FAR_OVER = 2


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one device may send for as long as it likes."""

    messages_per_s: float = 50.0
    bytes_per_s: float = 1_048_576.0


@dataclass(frozen=True, slots=True)
class Amount:
    """What a device sent since its bucket was last empty."""

    messages: int
    bytes: int
    seconds: float


class _Bucket:
    __slots__ = ("at", "bytes", "filled", "filled_bytes", "messages", "since")

    def __init__(self, now: float) -> None:
        self.at = self.since = now
        self.filled = self.filled_bytes = 0.0
        self.messages = self.bytes = 0


class Meter:
    """The buckets of all devices; a bounded number of them.

    Args:
        at_once: messages that a bucket holds.
        at_once_bytes: bytes that a bucket holds.
    """

    def __init__(
        self,
        allowance: Allowance,
        *,
        at_once: float = BACKLOG,
        at_once_bytes: float = BACKLOG_BYTES,
        most_remembered: int = MOST_REMEMBERED,
    ) -> None:
        self._rate, self._rate_bytes = allowance.messages_per_s, allowance.bytes_per_s
        self._rim, self._rim_bytes = float(at_once), float(at_once_bytes)
        self._far = self._rim + max(LEAST_PATIENCE, PATIENCE * self._rate)
        self._far_bytes = self._rim_bytes + PATIENCE * self._rate_bytes
        self._catching_up = False
        self._most = most_remembered
        self._buckets: dict[str, _Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def count(self, device_id: str, size: int, now: float) -> Standing:
        """Note one message; how its device stands by it."""
        bucket = self._buckets.get(device_id)
        if bucket is None:
            bucket = self._begin(device_id, now)
        passed = now - bucket.at
        bucket.at = now
        filled, filled_bytes = bucket.filled, bucket.filled_bytes
        if filled > 0.0:  # below it there is what was expected and has not come
            filled = max(0.0, filled - passed * self._rate)
        if filled_bytes > 0.0:
            filled_bytes = max(0.0, filled_bytes - passed * self._rate_bytes)
        if filled <= 0.0 and filled_bytes <= 0.0:  # it ran empty: what comes now begins anew
            bucket.since, bucket.messages, bucket.bytes = now, 0, 0
        bucket.messages += 1
        bucket.bytes += size
        bucket.filled = filled = filled + 1.0
        bucket.filled_bytes = filled_bytes = filled_bytes + size
        if filled <= self._rim and filled_bytes <= self._rim_bytes:
            return Standing.WITHIN
        return self._beyond(filled, filled_bytes)

    def would_stand(self, device_id: str, messages: int, now: float) -> Standing:
        """How a device would stand if it sent so many more; nothing is noted."""
        bucket = self._buckets.get(device_id)
        filled = 0.0 if bucket is None else bucket.filled
        if bucket is not None and filled > 0.0:
            filled = max(0.0, filled - (now - bucket.at) * self._rate)
        return self._beyond(filled + messages, 0.0)

    def is_empty(self, device_id: str) -> bool:
        """Whether a device has sent nothing but what was expected of it."""
        bucket = self._buckets.get(device_id)
        return bucket is None or self._catching_up or bucket.filled <= 0.0

    def expect(self, device_id: str, messages: float, size: float, now: float) -> None:
        """Answers to what it was asked are not held against a device, whenever they come."""
        bucket = self._buckets.get(device_id) or self._begin(device_id, now)
        bucket.filled = max(-MOST_EXPECTED, bucket.filled - messages)
        bucket.filled_bytes = max(-MOST_EXPECTED_BYTES, bucket.filled_bytes - size)

    def sent(self, device_id: str, now: float) -> Amount:
        """What a device sent of late."""
        bucket = self._buckets.get(device_id)
        if bucket is None:
            return Amount(0, 0, 0.0)
        return Amount(bucket.messages, bucket.bytes, now - bucket.since)

    def forget(self, device_id: str) -> None:
        """Begin anew with a device."""
        self._buckets.pop(device_id, None)

    def begin_catching_up(self) -> None:
        """What the broker kept for us comes now, all of it at once: nobody sends it at this pace."""
        self._catching_up = True

    def end_catching_up(self) -> None:
        """From here on, what comes is sent now; what came before tells nothing."""
        if self._catching_up:
            self._catching_up = False
            self._buckets.clear()

    def _beyond(self, filled: float, filled_bytes: float) -> Standing:
        if (
            self._catching_up
            and filled <= self._rim + QUEUED
            and filled_bytes <= self._rim_bytes + QUEUED_BYTES
        ):
            return Standing.WITHIN
        if filled > self._far or filled_bytes > self._far_bytes:
            return Standing.FAR_OVER
        within = filled <= self._rim and filled_bytes <= self._rim_bytes
        return Standing.WITHIN if within else Standing.OVER

    def _begin(self, device_id: str, now: float) -> _Bucket:
        if len(self._buckets) >= self._most:
            self._make_room(now)
        bucket = self._buckets[device_id] = _Bucket(now)
        return bucket

    def _make_room(self, now: float) -> None:
        """Forget the emptier half: half, so that this is rarely done."""
        # what was expected of these is forgotten too, and then has a whole bucket to go into
        by_filling = sorted(self._buckets, key=lambda each: self._filling(self._buckets[each], now))
        for device_id in by_filling[: len(by_filling) // 2 + 1]:
            del self._buckets[device_id]

    def _filling(self, bucket: _Bucket, now: float) -> float:
        passed = now - bucket.at
        share = (bucket.filled - passed * self._rate) / self._rim
        return max(share, (bucket.filled_bytes - passed * self._rate_bytes) / self._rim_bytes)
