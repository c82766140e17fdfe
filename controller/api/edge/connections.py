"""One connection to the server: its headers come in time, its answers are read, and nobody has too many.

The server's own protocol has no bound for any of these. What is no HTTP at all is answered here too.
"""

from asyncio import BaseTransport, TimerHandle, Transport
from typing import ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from controller.api.edge import refusals
from controller.api.edge.asgi import FRAMING
from controller.api.edge.room import IS_LATE, ROOM, Room
from controller.api.edge.targets import Requests
from controller.api.live.lines import KEY

_LOOPBACK = ("127.", "::1")


class _Deadline:
    """Something that has to happen by then, or the connection is over."""

    def __init__(self) -> None:
        self._timer: TimerHandle | None = None

    def start(self, connection: H11Protocol, within_s: float) -> None:
        if self._timer is None:
            self._timer = connection.loop.call_later(within_s, connection.transport.abort)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Connection(H11Protocol):
    """HTTP/1.1 with somebody who may be slow on purpose."""

    # seconds: from the first moment on, or from the first byte of a later request
    headers_within_s: ClassVar[float] = 10.0
    read_within_s: ClassVar[float] = 30.0  # of an answer that waits for its reader, the next part
    # connections of one address; this computer's own are bounded as all are together, unless `own_too`
    most_of_one: ClassVar[int] = 100
    own_too: ClassVar[bool] = False

    def connection_made(self, transport: BaseTransport) -> None:
        """Let somebody in, unless they have enough connections, or all together do."""
        self._headers, self._reading = _Deadline(), _Deadline()
        self.conn = Requests()
        super().connection_made(cast("Transport", transport))  # which every one of a socket is
        room: Room = self.app_state[ROOM]
        # a stream has to be known by what is under it
        self.app_state = {**self.app_state, KEY: self, IS_LATE: room.is_full()}
        if room.is_over() or self._has_too_many():
            self.transport.abort()
        else:
            self._expect_headers()

    def cut(self) -> None:
        """End it at once, whatever is still to be sent."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget about it."""
        self._headers.stop()
        self._reading.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a request that has begun has an end by when its headers are here."""
        super().data_received(data)
        self._expect_headers()

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        super().on_response_complete()
        self._expect_headers()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection on: from here on it is another protocol's."""
        self._headers.stop()
        super().handle_websocket_upgrade(event)

    def _should_upgrade(self) -> bool:
        # with a body or another method it begins no WebSocket (RFC 6455, 4.1), and is a request as any other
        is_opening = self.scope["method"] == "GET" and not any(name in FRAMING for name, _ in self.headers)
        return is_opening and super()._should_upgrade()

    def pause_writing(self) -> None:
        """The answer waits for its reader."""
        super().pause_writing()
        self._reading.start(self, self.read_within_s)

    def resume_writing(self) -> None:
        """They read."""
        self._reading.stop()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Say that it was not understood, unless an answer to something else has begun."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            said = refusals.outside(400, msg)
            answer = h11.Response(status_code=400, headers=said.raw_headers, reason=b"Bad Request")
            for part in (answer, h11.Data(data=bytes(said.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def _expect_headers(self) -> None:
        waits = self.conn.their_state is h11.IDLE and (self.cycle is None or bool(self.conn.trailing_data[0]))
        if not waits or self.transport.is_closing():
            self._headers.stop()
        else:
            self._headers.start(self, self.headers_within_s)

    def _has_too_many(self) -> bool:
        if self.client is None or (self.client[0].startswith(_LOOPBACK) and not self.own_too):
            return False
        others = (getattr(each, "client", None) for each in self.connections)
        return sum(1 for each in others if each and each[0] == self.client[0]) > self.most_of_one
