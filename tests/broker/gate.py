"""The way in at our own broker, with a note of what was asked of it; a test can make it fail."""

from broker.identities import Local


class WatchedGate:
    """Shuts out and lets in as our broker's administration does."""

    def __init__(self, administration: Local) -> None:
        self._administration = administration
        self.asked: list[tuple[str, str]] = []
        self.broken = False  # it does not answer

    async def suspend(self, username: str) -> None:
        self._note("suspend", username)
        await self._administration.suspend(username)

    async def resume(self, username: str) -> None:
        self._note("resume", username)
        await self._administration.resume(username)

    def _note(self, what: str, username: str) -> None:
        self.asked.append((what, username))
        if self.broken:
            raise OSError("the broker does not answer")
