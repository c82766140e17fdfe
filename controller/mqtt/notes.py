"""That the broker took a command, noted a moment later: an answer that comes first says more.

Most commands are answered within that moment, and then nothing is noted for them; what
is noted goes into the store together. A lost note is no loss: the command goes again.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

from controller.services import settling
from controller.store.store import Session, Store

NOTE_AFTER = 0.05  # seconds


class Notes:
    """What is to be noted, by command; at most what is on the way."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._waiting: dict[str, tuple[int, datetime]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, command_id: str, attempt: int) -> None:
        """Note in a moment that the broker took this attempt."""
        self._waiting[command_id] = attempt, self._now()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(NOTE_AFTER, self.write)

    def drop(self, command_id: str) -> None:
        """Its device has answered."""
        self._waiting.pop(command_id, None)

    def write(self) -> None:
        """Note what waits, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            self._store.write_soon(partial(_note, taken=waiting))


def _note(session: Session, taken: dict[str, tuple[int, datetime]]) -> None:
    for command_id, (attempt, at) in taken.items():
        settling.published(session, command_id, attempt=attempt, now=at)
