"""How a connection becomes a WebSocket. One that does not is told why as everybody is.

The library under it answers with a text of its own where a handshake does not fit, or nobody took it.
"""

from asyncio import AbstractEventLoop
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.datastructures import Headers
from websockets.http11 import Response
from websockets.server import ServerProtocol

from controller.api.edge import refusals
from controller.api.live.lines import WebSocketLine


class Handshake(ServerProtocol):
    """The library's own, but for what it says to who is refused."""

    def reject(self, status: HTTPStatus | int, text: str) -> Response:
        """The answer to a handshake of which nothing comes."""
        status = HTTPStatus(status)
        said = text.partition("\n")[0] or "This is not for you, or there is nothing here to connect with."
        answer = refusals.outside(status, said)
        return Response(status, status.phrase, Headers(answer.headers.items()), bytes(answer.body))


class Upgraded(WebSocketLine):
    """The line of who asked for a WebSocket."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = Handshake(max_size=config.ws_max_size, logger=self.logger)

    async def send(self, message: Any) -> None:
        """Say what the application says. A refusal that was said whole ends the handshake, and is no fault to be logged."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True
