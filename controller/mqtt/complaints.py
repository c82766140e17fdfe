"""Invalid messages are counted, and told once per device and minute with the reason."""

import logging
from collections import Counter
from collections.abc import Callable
from time import monotonic

logger = logging.getLogger(__name__)

TELL_EVERY = 60.0  # seconds between two lines about one device
MAX_REMEMBERED = 10_000  # devices


class Complaints:
    """What arrived and could not be used, by device."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._told_at: dict[str, float] = {}

    def add(self, device_id: str, reason: str) -> None:
        """Count one, and log it unless this device was complained of just now."""
        self.counts[device_id] += 1
        now = self._clock()
        if now - self._told_at.get(device_id, -TELL_EVERY) < TELL_EVERY:
            return
        if len(self._told_at) >= MAX_REMEMBERED:
            self._told_at.clear()
            self.counts.clear()
        self._told_at[device_id] = now
        logger.warning("Dropped a message of %s: %s", device_id, reason)
