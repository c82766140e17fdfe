"""How much comes in, and how fast: headers are bounded, and a body is here whole, or the application is not asked.

Nothing of the application waits for whoever sends a byte at a time.
"""

import asyncio
from functools import partial

from controller.api import problems
from controller.api.edge import asgi
from controller.api.edge.asgi import App, Message, Receive, Scope, Send
from schemas.errors import ErrorCode
from schemas.wire import MAX_PAYLOAD

WITHIN = 30.0  # seconds for all of it
PAUSE = 10.0  # seconds between two parts of it
DRAINED = 16 * MAX_PAYLOAD  # bytes of what is too much that are read, so that its sender hears why
MAX_HEADERS = 64 * 1024  # bytes; the server bounds only those that come in many parts


class Gone(Exception):
    """Whoever was sending has gone."""


class Bodies:
    """Takes a body in before its route is called."""

    def __init__(self, app: App, *, within_s: float = WITHIN, pause_s: float = PAUSE) -> None:
        self._app = app
        self._within_s = within_s
        self._pause_s = pause_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size, length, coding = 0, None, None
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name == b"content-length":
                length = value
            elif name == b"transfer-encoding":
                coding = value
        has_body = coding is not None or (length is not None and length != b"0")
        if not has_body and size <= MAX_HEADERS:
            await self._app(scope, receive, send)  # most requests
            return
        await self._bounded(scope, receive, send, size=size, length=length, coding=coding)

    async def _bounded(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        size: int,
        length: bytes | None,
        coding: bytes | None,
    ) -> None:
        refuse = partial(_refuse, scope, receive, send)
        if size > MAX_HEADERS:
            said = f"The headers may have at most {MAX_HEADERS} bytes."
            await refuse(431, ErrorCode.PAYLOAD_TOO_LARGE, said)
            return
        if coding is not None and length is not None:  # two programs could read two different requests in it
            await refuse(
                400, ErrorCode.INVALID_ARGUMENTS, "Content-Length and Transfer-Encoding: one of them."
            )
            return
        declared = 0 if length is None else _number(length)
        body = None
        try:
            if declared <= DRAINED:
                body = await self._read(receive)
        except TimeoutError:
            await refuse(408, ErrorCode.TIMEOUT, "The body came too slowly.")
            return
        except Gone:
            return
        if body is None or declared > MAX_PAYLOAD:
            said = f"A body may have at most {MAX_PAYLOAD} bytes."
            await refuse(413, ErrorCode.PAYLOAD_TOO_LARGE, said)
            return
        await self._app(scope, _again(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """All of it; None: it is too much.

        Raises:
            TimeoutError: it comes too slowly.
            Gone: it does not come any more.
        """
        parts: list[bytes] = []
        size, is_more = 0, True
        loop = asyncio.get_running_loop()
        end = loop.time() + self._within_s
        while is_more and size <= DRAINED:
            async with asyncio.timeout_at(min(end, loop.time() + self._pause_s)):
                message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            part, is_more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            if size <= MAX_PAYLOAD:
                parts.append(part)
        return b"".join(parts) if size <= MAX_PAYLOAD else None


def _again(body: bytes, receive: Receive) -> Receive:
    """What gives the body once, and then whatever else there is to hear."""
    told = False

    async def hear() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return hear


def _number(length: bytes) -> int:
    return int(length) if length.isdigit() and len(length) <= len(str(DRAINED)) else DRAINED + 1


async def _refuse(
    scope: Scope, receive: Receive, send: Send, status: int, code: ErrorCode, detail: str
) -> None:
    await asgi.refuse(scope, receive, send, problems.problem(status, code, detail))
