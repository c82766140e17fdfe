"""A server that is full says so, lives, goes on with who is there, and takes no more than it can bear."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from controller.api import app as http
from controller.api.edge.answers import Answers
from controller.api.edge.asgi import Receive, Scope, Send
from controller.api.edge.room import COME_BACK, Full
from controller.api.headers import ALWAYS, NOT_KEPT, UNLESS_SAID
from controller.api.shapes.problems import MEDIA_TYPE
from tests.controller.api.conftest import Api
from tests.controller.api.wire.exchanging import SOON, asking, exchanged, serving, status

CONNECTIONS, READERS, BEYOND = 2, 1, 2
SERVED = CONNECTIONS + READERS

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that serves three at once, and tells two more that it is full."""
    monkeypatch.setattr(http, "CONNECTIONS", CONNECTIONS)
    monkeypatch.setattr(http, "READERS", READERS)
    monkeypatch.setattr(http, "READERS_AT_LEAST", READERS)
    monkeypatch.setattr(http, "BEYOND", BEYOND)


@asynccontextmanager
async def held(port: int, count: int) -> AsyncIterator[list[Line]]:
    """So many connections on which nobody says anything."""
    async with AsyncExitStack() as stack:
        lines = []
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.push_async_callback(_closed, writer)
            lines.append((reader, writer))
        yield lines


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def until(ask: Callable[[], Awaitable[bytes]], expected: int) -> bytes:
    """What is answered once the server has seen who is gone."""
    async with asyncio.timeout(SOON):
        while True:
            answer = await ask()
            if answer and status(answer) == expected:
                return answer


def refused(answer: bytes) -> dict[str, object]:
    """An error with what all of them carry, and when to come back."""
    head, _, body = answer.partition(b"\r\n\r\n")
    carried = dict(each.decode("latin-1").lower().split(": ", 1) for each in head.split(b"\r\n")[1:])
    found: dict[str, object] = json.loads(body)
    assert status(answer) == 503, answer
    assert carried["content-type"] == MEDIA_TYPE
    assert carried["trace-id"] == found["trace_id"]
    assert carried["retry-after"] == str(COME_BACK)
    assert carried["connection"] == "close"
    assert {name.lower() for name in ALWAYS | UNLESS_SAID | NOT_KEPT} <= set(carried)
    return found


async def test_who_comes_when_it_is_full_is_told_so_and_let_in_when_there_is_room(
    api: Api, port: int
) -> None:
    async with held(port, SERVED):
        answer = await exchanged(port, asking(api))
        with_body = await exchanged(port, asking(api, "POST /api/v1/commands", "Content-Length: 2"), b"{}")

    assert refused(answer)["code"] == "busy"
    assert refused(with_body)["code"] == "busy"
    assert await until(lambda: exchanged(port, asking(api)), 200)


async def test_a_program_that_is_full_lives_and_says_that_it_is_not_ready(api: Api, port: int) -> None:
    async with held(port, SERVED):
        alive = await exchanged(port, asking(api, "GET /healthz").replace(b"Connection: close\r\n", b""))
        ready = await exchanged(port, asking(api, "GET /readyz"))

    assert status(alive) == 200
    assert alive.endswith(b'{"status":"alive"}')
    assert alive.lower().count(b"\r\nconnection: close\r\n") == 1  # its place is for the next one
    assert refused(ready)["code"] == "busy"


async def test_who_was_there_before_it_was_full_goes_on(api: Api, port: int) -> None:
    async with held(port, SERVED) as lines:
        assert status(await exchanged(port, asking(api))) == 503
        reader, writer = lines[0]
        writer.write(asking(api))
        async with asyncio.timeout(SOON):
            assert status(await reader.read()) == 200


async def test_a_websocket_for_which_there_is_no_room_is_told_so(api: Api, port: int) -> None:
    handshake = (
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
    )
    request = asking(api, "GET /api/v1/stream", *handshake).replace(
        b"Connection: close", b"Connection: Upgrade"
    )
    async with held(port, SERVED):
        assert refused(await exchanged(port, request))["code"] == "busy"


async def test_what_comes_beyond_that_is_cut(api: Api, port: int) -> None:
    async with held(port, SERVED + BEYOND):
        alive = await exchanged(port, asking(api, "GET /healthz"))

    assert alive == b""
    assert await until(lambda: exchanged(port, asking(api)), 200)


async def test_work_whose_caller_has_gone_counts_until_it_is_over(api: Api) -> None:
    begun, may_end = asyncio.Semaphore(0), asyncio.Event()

    async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
        begun.release()
        if scope["path"] != "/healthz":
            await may_end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async with serving(Answers(Full(stubborn))) as port:
        for _ in range(SERVED):
            async with held(port, 1) as [(_, writer)]:
                writer.write(asking(api))
                async with asyncio.timeout(SOON):
                    await begun.acquire()
        assert status(await exchanged(port, asking(api))) == 503
        assert status(await exchanged(port, asking(api, "GET /healthz"))) == 200
        may_end.set()
        await until(lambda: exchanged(port, asking(api)), 200)
