"""What the harness itself knows: what it asked for, what came back, what it heard on the wire.

Nothing here is read from Orion's own books, so it can contradict them.
"""

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.orders import FALSE, Order

FRESH = 4.0  # seconds that a submit without a final reply counts as in flight


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submit that returned."""

    number: int
    tool: str
    device_id: str | None  # None: a group


@dataclass(slots=True)
class Ledger:
    """One run's notes."""

    tried: Counter[int] = field(default_factory=Counter)  # numbers that were submitted at all
    returned: dict[str, Submitted] = field(default_factory=dict)  # command id → what it was
    cut: set[int] = field(default_factory=set)  # numbers whose answer was lost: they may exist
    cancelled: set[str] = field(default_factory=set)  # a cancel was asked for and taken
    finals: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # on the wire
    repeated: Counter[str] = field(default_factory=Counter)  # by hand, by kind of message
    asks: dict[int, int] = field(default_factory=dict)  # an order → the look that must answer true
    refused: set[int] = field(default_factory=set)  # orders whose look must never answer true
    groups: set[int] = field(default_factory=set)
    waiting: set[int] = field(default_factory=set)  # orders that could wait for their device
    _open: dict[str, tuple[str | None, float]] = field(default_factory=dict)

    def trying(self, order: Order) -> None:
        """A submit is about to be sent."""
        self.tried[order.number] += 1
        if order.asks is not None:
            self.tried[order.asks] += 1
            self.asks[order.number] = order.asks
            if order.body["condition"]["field"] == FALSE:
                self.refused.add(order.number)
        if order.device_id is None:
            self.groups.add(order.number)
        if order.waits:
            self.waiting.add(order.number)

    def unheard(self, order: Order) -> None:
        """A submit that nobody can have heard."""
        del self.tried[order.number]

    def opened(self, command_id: str, what: Submitted, *, is_open: bool) -> None:
        """A submit has returned."""
        self.returned[command_id] = what
        if is_open:
            self._open[command_id] = (what.device_id, time.monotonic())

    def final(self, command_id: str, status: str) -> None:
        """A final reply was seen on the wire."""
        self.finals[command_id].add(status)
        self._open.pop(command_id, None)

    def in_flight(self, device_id: str | None = None) -> bool:
        """Whether something submitted a moment ago, to this device or any, is not answered."""
        now = time.monotonic()
        self._open = {key: one for key, one in self._open.items() if now - one[1] < FRESH}
        return any(device_id is None or whose in (None, device_id) for whose, _ in self._open.values())


@dataclass(frozen=True, slots=True)
class Noted:
    """Events as the nodes' own notes have them: key → device, what was tried and what was kept."""

    tried: dict[str, str]
    kept: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> "Noted":
        tried: dict[str, str] = {}
        kept: dict[str, str] = {}
        lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
        for line in lines:
            word, device_id, key = line.split()[:3]
            (tried if word == "tried" else kept)[key] = device_id
        return cls(tried, kept)
