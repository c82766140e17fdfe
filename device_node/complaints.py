"""What arrived and was refused: each one counted, each reason logged once a minute."""

import logging
import time
from collections import Counter

logger = logging.getLogger(__name__)

SAY_EVERY = 60.0  # seconds
MAX_REASONS = 1_000  # remembered; reasons come from outside and must not fill the memory


class Complaints:
    """Counts of refused messages by cause, and the log's protection from a flood of them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._said_at: dict[str, float] = {}

    def add(self, cause: str, topic: str, reason: str) -> None:
        """One message was dropped. `reason` names a field and a fault, never a value."""
        self.counts[cause] += 1
        now = time.monotonic()
        key = f"{cause} {reason}"
        if now - self._said_at.get(key, -SAY_EVERY) < SAY_EVERY:
            return
        if len(self._said_at) >= MAX_REASONS:
            self._said_at.clear()
        self._said_at[key] = now
        logger.warning("Refused a message on %s: %s", topic, reason)
