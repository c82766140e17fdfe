"""What the controller has not acknowledged yet: final replies and events, in order.

Nothing leaves the spool but by an Ack, or, when it is full, the oldest event. Replies
come back from the journal at the next start; events live in memory for now.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

logger = logging.getLogger(__name__)


class Kind(StrEnum):
    """What an entry is; an Ack names replies by their command and events by their id."""

    REPLY = "reply"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Spooled:
    """One message that is sent again at every connect."""

    kind: Kind
    id: str
    topic: str
    payload: bytes


class Spool:
    """The messages without an Ack, bounded."""

    def __init__(self, max_entries: int) -> None:
        self.dropped = 0
        self._max_entries = max_entries
        self._entries: OrderedDict[tuple[Kind, str], Spooled] = OrderedDict()

    def add(self, entry: Spooled) -> None:
        """Keep a message until its Ack; one of the same id takes the place of the earlier."""
        self._entries[entry.kind, entry.id] = entry
        if len(self._entries) > self._max_entries:
            self._drop_one()

    def remove(self, kind: Kind, ids: Iterable[str]) -> None:
        """Forget what was acknowledged; unknown ids are no error."""
        for one in ids:
            self._entries.pop((kind, one), None)

    def pending(self) -> list[Spooled]:
        """Everything that waits for an Ack, oldest first."""
        return list(self._entries.values())

    def _drop_one(self) -> None:
        # a reply can be had again from the journal by asking for its command; an event cannot
        # be asked for, but a device without a controller makes events without end
        oldest = next((key for key in self._entries if key[0] is Kind.EVENT), next(iter(self._entries)))
        del self._entries[oldest]
        self.dropped += 1
        logger.warning("Spool is full, dropped the oldest %s %s", *oldest)
