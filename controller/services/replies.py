"""Whoever waits for commands is woken here, after the COMMIT that changed them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from controller.store.notices import CommandChanged, Notice
from controller.store.tables import ToolExecution


class Changes:
    """What one waiter has heard since it began, or since it last looked."""

    def __init__(self) -> None:
        self._heard = asyncio.Event()
        self._moved = False
        self._ended: dict[str, ToolExecution] = {}

    def add(self, notice: CommandChanged) -> None:
        if notice.final:
            self._ended[notice.command.id] = notice.command
        else:
            self._moved = True
        self._heard.set()

    async def wait(self) -> None:
        """Until something has changed."""
        await self._heard.wait()

    def taken(self) -> dict[str, ToolExecution] | None:
        """The commands that ended, as they stay; None if others moved too, and a look is due."""
        moved, self._moved = self._moved, False
        self._heard.clear()
        return None if moved else self._ended


class Replies:
    """Waiters by command id; lives on one event loop."""

    def __init__(self) -> None:
        self._waiters: defaultdict[str, set[Changes]] = defaultdict(set)

    def hear(self, notice: Notice) -> None:
        """Wake who waits for the command a notice speaks of."""
        if isinstance(notice, CommandChanged):
            for changes in self._waiters.get(notice.command.id, ()):
                changes.add(notice)

    @contextmanager
    def changes(self, command_ids: Iterable[str]) -> Iterator[Changes]:
        """What is heard of these commands from now on.

        Register before looking at the store: what changes between the look and the wait
        is heard already.
        """
        wanted = list(command_ids)
        changes = Changes()
        for command_id in wanted:
            self._waiters[command_id].add(changes)
        try:
            yield changes
        finally:
            for command_id in wanted:
                self._waiters[command_id].discard(changes)
                if not self._waiters[command_id]:
                    del self._waiters[command_id]
