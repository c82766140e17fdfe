"""One journal through the lives of a program, each of which may end as by kill -9."""

import asyncio
import shutil
from pathlib import Path

from device_node.journal import Journal, Limits


class Lives:
    """The journal of the present life."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self._folder = folder
        self._limits = limits
        self._number = 0
        self._left: list[Journal] = []
        self.journal = Journal(self.path, limits)

    @property
    def path(self) -> Path:
        return self._folder / f"life-{self._number}" / "journal.db"

    async def begin(self) -> None:
        self.journal = Journal(self.path, self._limits)
        await self.journal.open()

    async def crash(self) -> None:
        """The program is gone without a word; the next finds the files as they are now."""
        await asyncio.to_thread(self._leave)
        await self.begin()

    async def end(self) -> None:
        for journal in (*self._left, self.journal):
            await journal.close()

    def _leave(self) -> None:
        # the old one keeps its files open, and its lock, so the next life begins with copies
        self._left.append(self.journal)
        left = self.path.parent
        self._number += 1
        shutil.copytree(left, self.path.parent)
