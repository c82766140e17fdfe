"""A TCP line between a program and the broker that can be cut, silenced or half closed.

It changes no byte. What it holds back while silent is lost with the connection, as on a
real line whose far end is gone.
"""

import asyncio
import socket
from contextlib import suppress
from enum import StrEnum

CHUNK = 65_536
CLOSED_WITHIN = 1.0  # seconds; then connections are ended once more


class Line(StrEnum):
    """How the line stands."""

    OPEN = "open"
    CUT = "cut"  # connections are reset, new ones refused
    SILENT = "silent"  # nothing passes, nobody is told
    HALF = "half"  # the broker's side is closed, the program is not told


class Proxy:
    """One program's line. `port` is where the program finds its broker."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._state = Line.OPEN
        self._passing = asyncio.Event()
        self._passing.set()
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        """Listen on a port of the system's choice."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self.restore()
        if self._server is not None:
            self._server.close()
        while self._serving:
            self._end_all()
            await asyncio.wait(self._serving, timeout=CLOSED_WITHIN)

    def break_off(self, state: Line) -> None:
        """Bring the line into a state other than open."""
        self._state = state
        match state:
            case Line.CUT:
                self._end_all()
            case Line.SILENT:
                self._passing.clear()
            case Line.HALF:
                self._passing.clear()
                for _, broker in self._pairs:
                    broker.transport.abort()
            case Line.OPEN:
                self.restore()

    def restore(self) -> None:
        """Let the line work again; connections that were silent meanwhile are reset."""
        if self._state in (Line.SILENT, Line.HALF):
            self._end_all()
        self._state = Line.OPEN
        self._passing.set()

    def _end_all(self) -> None:
        for pair in list(self._pairs):
            for writer in pair:
                writer.transport.abort()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._accept(reader, writer), name="proxy")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._state is Line.CUT:
            await _closed(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._broker_port)
        except OSError:
            await _closed(writer)
            return
        for each in (writer, far_writer):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = (writer, far_writer)
        self._pairs.add(pair)
        passing = [
            asyncio.create_task(self._pass_on(reader, far_writer), name="proxy-up"),
            asyncio.create_task(self._pass_on(far_reader, writer), name="proxy-down"),
        ]
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            if self._state is Line.HALF:
                await self._passing.wait()  # the program learns nothing of its end
        finally:
            for task in passing:
                task.cancel()
            await asyncio.wait(passing)
            self._pairs.discard(pair)
            for each in pair:
                await _closed(each)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._passing.wait()
                writer.write(chunk)
                await writer.drain()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
