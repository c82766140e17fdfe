"""Servers that are no brokers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from broker.session import Endpoint
from tests.broker.session.sessions import within

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def reads_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def talks_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"\x20\x7f" + b"\xff" * 127)
    await reader.read()
    writer.close()


@contextlib.asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[Endpoint]:
    """A server that is no broker."""
    served: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.ensure_future(handler(reader, writer)))

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])
        await within(asyncio.gather(*served))
