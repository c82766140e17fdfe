"""The stream as Server-Sent Events."""

import asyncio
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from controller.api.live import lines
from controller.api.live.hub import Hub
from controller.api.live.messages import Control
from controller.api.live.reader import HURRY, End, Reader

MEDIA_TYPE = "text/event-stream"


def event(message_id: str, kind: str, text: bytes) -> bytes:
    """One message. What only keeps the line alive is a comment; its id counts all the same."""
    head = (
        b": keep-alive\n" if kind == Control.KEEP_ALIVE else b"event: %s\ndata: %s\n" % (kind.encode(), text)
    )
    return b"%sid: %s\n\n" % (head, message_id.encode())


class EventStream(Response):
    """What a reader gets, until one of the two sides ends it."""

    media_type = MEDIA_TYPE

    def __init__(self, hub: Hub, reader: Reader) -> None:
        self.status_code = 200
        self.background = None
        self._hub = hub
        self._reader = reader
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Connection": "close"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""
        leaving = asyncio.create_task(self._until_left(receive), name="stream-left")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            with suppress(TimeoutError):
                while (made := await self._reader.next()) is not None:
                    await self._reader.send(
                        send({"type": "http.response.body", "body": made, "more_body": True})
                    )
            await self._end(send, lines.under(scope))
        finally:
            self._hub.leave(self._reader)
            leaving.cancel()
            await asyncio.wait([leaving])

    async def _until_left(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._reader.finish(End.GONE)

    async def _end(self, send: Send, line: lines.Line | None) -> None:
        end = self._reader.end or End.GONE
        last = b""
        if end is not End.GONE:
            last = self._reader.wrapped(Control.END, {"reason": end.word, "code": end.code})
        try:
            async with asyncio.timeout(HURRY):  # it may take nothing any more
                await send({"type": "http.response.body", "body": last, "more_body": False})
        except TimeoutError:
            if line is not None:
                line.cut()
