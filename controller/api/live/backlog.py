"""The last messages, kept for all readers, and the ids by which a reader goes on where it was.

An id says in which life of the controller it was given: whoever comes with one of another life, or
with one that is too old, is told that something is missing. Heartbeats go before anything else does.
"""

import re
import secrets
from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from controller.api.live.messages import Concern, Kind, Message, Part
from controller.api.views.rows import Json

MOST = 4_096  # messages
MOST_BYTES = 8 * 1024 * 1024  # of all of them together
TAIL = 1_024  # of the newest, of which heartbeats too are kept

_ID = re.compile(r"([0-9a-f]{12})-([0-9]{1,15})")


class Gap(StrEnum):
    """Why a reader cannot go on where it was."""

    RESTARTED = "restarted"  # the controller, since then
    TOO_OLD = "too_old"
    UNKNOWN_ID = "unknown_id"


class Backlog:
    """Messages by their numbers, which grow by one."""

    def __init__(
        self, now: Callable[[], datetime], *, most: int = MOST, most_bytes: int = MOST_BYTES
    ) -> None:
        self._now = now
        self._most = most
        self._most_bytes = most_bytes
        self._epoch = secrets.token_hex(6)
        self._kept: list[Message] = []
        self._numbers: list[int] = []
        self._bytes = 0
        self.number = 0  # of the newest
        self.lost = 0  # of the newest that is kept no more, heartbeats aside

    def id_of(self, number: int) -> str:
        """The id of a place."""
        return f"{self._epoch}-{number}"

    def place_of(self, message_id: str) -> int | Gap:
        """Where the reader was that has seen this one, if it can go on from there."""
        match = _ID.fullmatch(message_id)
        if match is None:
            return Gap.UNKNOWN_ID
        if match[1] != self._epoch:
            return Gap.RESTARTED
        number = int(match[2])
        if number > self.number:
            return Gap.UNKNOWN_ID
        return number if number >= self.lost else Gap.TOO_OLD

    def add(self, kind: Kind, data: Json, concern: Concern, command_id: str | None = None) -> None:
        """Put a message behind the others."""
        self.number += 1
        message = Message(self.number, self.id_of(self.number), kind, self._now(), data, concern, command_id)
        self._bytes += len(message.text(Part.ALL))
        self._kept.append(message)
        self._numbers.append(self.number)
        if len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._let_go()

    def after(self, number: int) -> list[Message]:
        """What came after this one, the oldest first."""
        return self._kept[bisect_right(self._numbers, number) :]

    def skip(self) -> None:
        """Something is not kept, because nobody was there: whoever comes back has missed it."""
        self.number += 1
        self.lost = self.number
        self._keep([])

    def _let_go(self) -> None:
        """First of heartbeats that nobody waits for any more, then of the oldest: a quarter, or there would be no end of it."""
        tail = self._kept[-TAIL:]
        kept = [each for each in self._kept[:-TAIL] if each.kind is not Kind.DEVICE_HEARTBEAT] + tail
        most, most_bytes = self._most * 3 // 4, self._most_bytes * 3 // 4
        size = sum(len(each.text(Part.ALL)) for each in kept)
        gone = 0
        while len(kept) - gone > 1 and (len(kept) - gone > most or size > most_bytes):
            size -= len(kept[gone].text(Part.ALL))
            gone += 1
        if gone:
            self.lost = kept[gone - 1].number
        self._keep(kept[gone:])

    def _keep(self, kept: list[Message]) -> None:
        self._kept = kept
        self._numbers = [each.number for each in kept]
        self._bytes = sum(len(each.text(Part.ALL)) for each in kept)
