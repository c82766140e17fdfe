"""The lines that streams go over: uvicorn's own, with what a stream needs of them beside ASGI.

One that takes nothing more has to be cut, and ASGI can only close it, which waits for whoever does
not read. And a WebSocket's frames are the same for all readers, while ASGI would have each made anew.
"""

from collections.abc import MutableMapping
from typing import Any, Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

KEY = "line"  # of what the application is told of its connection


NO_TEXT = 1007  # RFC 6455, 7.4.1


def _is_text(said: bytes) -> bool:
    try:
        said.decode()
    except UnicodeDecodeError:
        return False
    return True


class Line(Protocol):
    """What is under a request or a WebSocket."""

    def cut(self) -> None:
        """End it at once, whatever is still to be sent."""


class WebSocketLine(WebSocketsSansIOProtocol):
    """Of one client whose connection became a WebSocket."""

    def connection_made(self, transport: Any) -> None:
        """Be known to the application."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, KEY: self}

    def cut(self) -> None:
        """End it at once."""
        self.transport.abort()

    def hang_up(self) -> None:
        """End it once what was said is sent; what the other side says to that is not waited for."""
        self.transport.close()

    def send_receive_event_to_app(self) -> None:
        """Take what came; what is no text though it says so ends it, and is no fault of ours to be logged."""
        if self.curr_msg_data_type == "text" and not _is_text(b"".join(self.frames)):
            self.frames = []
            self.conn.send_close(NO_TEXT)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    async def write(self, frames: bytes) -> None:
        """Send whole frames as they are; nothing once it closes. Returns when there is room for more."""
        if not (self.close_sent or self.disconnected or self.transport.is_closing()):
            self.transport.write(frames)
            await self.writable.wait()


def under(scope: MutableMapping[str, Any]) -> Line | None:
    """The line of a request or a WebSocket; None: another server than ours has it."""
    found: Line | None = scope.get("state", {}).get(KEY)
    return found


def under_websocket(scope: MutableMapping[str, Any]) -> WebSocketLine:
    """The line of a WebSocket.

    Raises:
        TypeError: another server than ours has it.
    """
    found = under(scope)
    if not isinstance(found, WebSocketLine):
        raise TypeError("The stream's WebSockets are served by our own server alone.")
    return found
