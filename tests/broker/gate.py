"""Shutting out and letting in at our own broker, as whoever administers it would."""

import asyncio
from typing import Any

from broker.identities import Identities, UnknownIdentity


class FileGate:
    """Takes an identity out of the broker's files for a while, and puts it back as it was."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._out: dict[str, Any] = {}
        self.asked: list[tuple[str, str]] = []
        self.broken = False  # it does not answer

    async def suspend(self, username: str) -> None:
        await asyncio.to_thread(self._take_out, username)

    async def resume(self, username: str) -> None:
        await asyncio.to_thread(self._put_back, username)

    def _take_out(self, username: str) -> None:
        self._note("suspend", username)
        with self._identities._changing() as entries:
            if username in entries:
                self._out[username] = entries.pop(username)
            elif username not in self._out:
                raise UnknownIdentity(username)

    def _put_back(self, username: str) -> None:
        self._note("resume", username)
        with self._identities._changing() as entries:
            if username in self._out:
                entries[username] = self._out.pop(username)

    def _note(self, what: str, username: str) -> None:
        self.asked.append((what, username))
        if self.broken:
            raise OSError("the broker does not answer")
