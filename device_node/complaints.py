"""What arrived and was refused: each one counted, each cause logged once a minute, with a reason."""

import logging
import time
from collections import Counter

logger = logging.getLogger(__name__)

SAY_EVERY = 60.0  # seconds


class Complaints:
    """Counts of refused messages by cause, and the log's protection from a flood of them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._said_at: dict[str, float] = {}

    def add(self, cause: str, topic: str, reason: str) -> None:
        """One message was dropped. `reason` names a field and a fault, never a value.

        The cause decides what is logged, because there are few: a reason may hold a size or a
        column, and whoever sends could make each message a new one.
        """
        self.counts[cause] += 1
        now = time.monotonic()
        if now - self._said_at.get(cause, -SAY_EVERY) < SAY_EVERY:
            return
        self._said_at[cause] = now
        logger.warning("Refused a message on %s: %s", topic, reason)
