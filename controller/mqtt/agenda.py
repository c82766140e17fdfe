"""When to look at what: the next moment of each thing, the earliest first.

Looking at what is due costs what is due, however much else waits.
"""

import heapq
from datetime import datetime

SPARE = 64  # outdated entries that are kept before they are swept out


class Agenda:
    """One moment for each name; a later word replaces the earlier one."""

    def __init__(self) -> None:
        self._at: dict[str, tuple[datetime, int]] = {}
        self._heap: list[tuple[datetime, int, str]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._at)

    def put(self, name: str, at: datetime) -> None:
        """Look at it then; what is put first is looked at first among equals."""
        known = self._at.get(name)
        if known is not None and known[0] == at:
            return
        self._number += 1
        self._at[name] = (at, self._number)
        heapq.heappush(self._heap, (at, self._number, name))
        if len(self._heap) > 2 * len(self._at) + SPARE:
            self._heap = [(when, number, each) for each, (when, number) in self._at.items()]
            heapq.heapify(self._heap)

    def drop(self, name: str) -> None:
        """Look at it no more."""
        self._at.pop(name, None)

    def due(self, now: datetime, *, most: int) -> list[str]:
        """What is due by now, in order, taken out; so many at most."""
        found: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(found) < most:
            at, number, name = heapq.heappop(self._heap)
            if self._at.get(name) == (at, number):
                del self._at[name]
                found.append(name)
        return found

    def next_at(self) -> datetime | None:
        """When the next is due; None: nothing waits."""
        while self._heap and self._at.get(self._heap[0][2]) != self._heap[0][:2]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
