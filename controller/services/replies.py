"""Whoever waits for commands is woken here, after the COMMIT that changed them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from controller.store.notices import CommandChanged, Notice


class Replies:
    """Waiters by command id; lives on one event loop."""

    def __init__(self) -> None:
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def hear(self, notice: Notice) -> None:
        """Wake who waits for the command a notice speaks of."""
        if isinstance(notice, CommandChanged):
            for event in self._waiters.get(notice.command.id, ()):
                event.set()

    @contextmanager
    def changes(self, command_ids: Iterable[str]) -> Iterator[asyncio.Event]:
        """An event that is set whenever one of these commands changes.

        Register before looking at the store: a change between the look and the wait
        then sets the event already.
        """
        wanted = list(command_ids)
        event = asyncio.Event()
        for command_id in wanted:
            self._waiters[command_id].add(event)
        try:
            yield event
        finally:
            for command_id in wanted:
                self._waiters[command_id].discard(event)
                if not self._waiters[command_id]:
                    del self._waiters[command_id]
