"""A real server and the bytes that are sent to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from controller.api import app as http
from controller.api.app import Server
from controller.api.edge.asgi import App
from tests.controller.api.conftest import Api

SOON = 20.0  # seconds; long before any of the server's own would be over by itself


@asynccontextmanager
async def serving(app: App) -> AsyncIterator[int]:
    """An application on a port of its own, by the server that production has."""
    listener = http.bind("127.0.0.1", 0)
    http.listen(listener)
    server = await asyncio.to_thread(Server, app)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


Said = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def exchanged(port: int, *sent: bytes, then: Said | None = None) -> bytes:
    """Everything that comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in sent:
            writer.write(part)
            with suppress(ConnectionError):
                await writer.drain()
        answer = b""
        async with asyncio.timeout(SOON):
            if then is not None:
                await then(writer)
            with suppress(ConnectionError):
                while part := await reader.read(65_536):
                    answer += part
        return answer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def asking(api: Api, line: str = "GET /api/v1/health", *headers: str, host: str = "localhost") -> bytes:
    """A request of the owner that is the last on its connection."""
    lines = [
        f"{line} HTTP/1.1",
        f"Host: {host}",
        "Connection: close",
        f"Authorization: Bearer {api.token}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])
