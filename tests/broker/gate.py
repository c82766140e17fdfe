"""The way in at our own broker, with a note of what was asked of it; a test can make it fail."""

from collections.abc import Collection

from broker.identities import Local
from broker.rights import ANYBODY, Role


class WatchedGate:
    """Shuts out and lets in as our broker's administration does."""

    def __init__(self, administration: Local) -> None:
        self._administration = administration
        self.asked: list[tuple[str, str]] = []
        self.broken = False  # it does not answer

    async def suspend(self, username: str, *, among: Collection[Role] = ANYBODY) -> None:
        self._note("suspend", username)
        await self._administration.suspend(username, among=among)

    async def resume(self, username: str, *, among: Collection[Role] = ANYBODY) -> None:
        self._note("resume", username)
        await self._administration.resume(username, among=among)

    def _note(self, what: str, username: str) -> None:
        self.asked.append((what, username))
        if self.broken:
            raise OSError("the broker does not answer")
