"""The life of one connection: asked for, let in by the broker, ended.

It ends once, and for one reason: whatever is told of it later changes nothing.
"""

import asyncio
from collections.abc import Callable

from broker.session.errors import ConnectFailed, ConnectionLost, SessionError
from broker.session.messages import Connected


class Life:
    """Whether the connection stands. Each of `ends` is told, in this order, when it does no more."""

    def __init__(self, *ends: Callable[[SessionError], None]) -> None:
        self.error: SessionError | None = None  # why it ended
        self._ends = ends
        self._connected: asyncio.Future[Connected] | None = None
        self._ended = asyncio.Event()

    @property
    def alive(self) -> bool:
        """Whether the broker let it in and it has not ended."""
        return self.error is None and self._connected is not None and self._connected.done()

    @property
    def connecting(self) -> bool:
        """Whether the broker is asked and has not answered."""
        return self._connected is not None and not self._connected.done()

    @property
    def obstacle(self) -> SessionError:
        """Why nothing can be sent, of a connection that is not alive."""
        return self.error or ConnectionLost("not connected")

    def begin(self) -> asyncio.Future[Connected]:
        """The broker is about to be asked; what comes is its answer."""
        self._connected = asyncio.get_running_loop().create_future()
        return self._connected

    def let_in(self, connected: Connected) -> None:
        """The broker agreed."""
        if self._connected is not None:
            self._connected.set_result(connected)

    def fail(self, reason: str, code: int | None = None) -> ConnectFailed:
        """End it because no session came to be."""
        error = ConnectFailed(reason, code)
        self.end(error)
        return error

    def gone(self, reason: str) -> None:
        """End it because the network has."""
        if self.connecting:
            self.fail(reason)
        else:
            self.end(ConnectionLost(reason))

    def end(self, error: SessionError) -> None:
        """Whoever waits for something of this connection gets `error`."""
        if self.error is not None:
            return
        self.error = error
        if self._connected is not None and not self._connected.done():
            self._connected.set_exception(error)
            self._connected.exception()
        for tell in self._ends:
            tell(error)
        self._ended.set()

    async def ended(self) -> SessionError:
        """Wait for the end, and say why it came."""
        await self._ended.wait()
        return self.error or ConnectionLost("closed")
