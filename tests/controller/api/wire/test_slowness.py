"""The server as strangers meet it, byte by byte: who is slow, does not read, or comes with too many.

It is the one that production builds; a test makes its bounds small and brings no class of its own.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from controller.api import app as http
from controller.api.edge import bodies
from controller.api.edge.answers import Answers
from controller.api.edge.asgi import Receive, Scope, Send
from controller.api.edge.bodies import Bodies
from controller.api.edge.connections import Connection
from controller.api.edge.handshakes import Upgraded
from controller.api.live.hub import READERS
from schemas.wire import MAX_PAYLOAD
from tests.controller.api.conftest import Api
from tests.controller.api.wire.exchanging import SOON, asking, exchanged, serving, status

MOMENT = 0.2  # seconds
MOST = 3  # connections of one address


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of every server waits a moment only, and this computer may have few of them."""
    monkeypatch.setattr(Connection, "headers_within_s", MOMENT)
    monkeypatch.setattr(Connection, "read_within_s", MOMENT)
    monkeypatch.setattr(Connection, "most_of_one", MOST)
    monkeypatch.setattr(Connection, "own_too", True)


async def test_a_plain_request_is_answered(api: Api, port: int) -> None:
    answer = await exchanged(port, asking(api))

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.count(b"\r\norion-api: 1\r\n") == 1
    assert b"server:" not in answer.lower()


@pytest.mark.parametrize(
    "begun", [b"", b"GET /api/v1/health HT", b"GET /api/v1/health HTTP/1.1\r\nHost: local"]
)
@pytest.mark.usefixtures("impatient")
async def test_headers_that_do_not_come_are_not_waited_for(api: Api, begun: bytes) -> None:
    async with serving(api.app) as port:
        assert await exchanged(port, begun) == b""


@pytest.mark.usefixtures("impatient")
async def test_headers_that_come_a_byte_at_a_time_have_an_end(api: Api) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"X: y\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)

    async with serving(api.app) as port:
        assert await exchanged(port, b"GET /api/v1/health HTTP/1.1\r\n", then=trickle) == b""


@pytest.mark.usefixtures("impatient")
async def test_the_headers_of_a_later_request_have_an_end_too(api: Api) -> None:
    first = asking(api).replace(b"Connection: close\r\n", b"")
    async with serving(api.app) as port:
        answer = await exchanged(port, first, b"GET /api/v1/health HTTP/1.1\r\nHost:")

    assert answer.count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.usefixtures("impatient")
async def test_a_request_that_takes_its_time_to_be_answered_is_not_cut_off(api: Api) -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(3 * MOMENT)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving(slow) as port:
        assert status(await exchanged(port, asking(api))) == 204


async def test_a_body_that_comes_too_slowly_is_told_so_and_hung_up_on(api: Api) -> None:
    async with serving(Answers(Bodies(api.app, pause_s=0.2))) as port:
        answer = await exchanged(port, asking(api, "POST /api/v1/commands", "Content-Length: 100"), b"{")

    assert status(answer) == 408
    assert b"\r\nconnection: close\r\n" in answer.lower()


@pytest.mark.usefixtures("impatient")
async def test_who_does_not_read_the_answer_is_hung_up_on(api: Api) -> None:
    ended = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1_000):
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        ended.set()

    async with serving(endless) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_024)
        writer.write(asking(api))
        async with asyncio.timeout(SOON):
            await ended.wait()  # 64 MiB fit into no socket: it has seen that nobody is there
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        del reader


@pytest.mark.usefixtures("impatient")
async def test_one_address_has_so_many_connections_and_no_more(api: Api) -> None:
    async with serving(api.app) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST)]
        refused = await exchanged(port, asking(api))
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        answer = b""
        async with asyncio.timeout(SOON):
            while not answer:  # until the server has seen that they are gone
                answer = await exchanged(port, asking(api))

    assert refused == b""
    assert status(answer) == 200


@pytest.mark.parametrize(
    "header", ["X: " + "x" * 100_000, "\r\n".join(f"X-{each}: {'x' * 50}" for each in range(2_000))]
)
async def test_headers_that_are_too_long_are_refused(api: Api, port: int, header: str) -> None:
    assert status(await exchanged(port, asking(api, "GET /api/v1/health", header))) in (400, 431)


async def test_the_server_of_a_controller_is_the_one_that_is_tried_here(api: Api) -> None:
    server = await asyncio.to_thread(http.serving, api.app.state.parts)

    assert type(server) is http.Server
    server.config.load()
    assert server.config.http_protocol_class is Connection
    assert server.config.ws_protocol_class is Upgraded
    assert server.config.limit_concurrency is None


TABLE = Path(__file__).parents[4] / "docs" / "security.md"


def test_the_bounds_are_those_that_are_written_down() -> None:
    (line,) = [each for each in TABLE.read_text().splitlines() if each.startswith("| who sends slowly")]

    for said in (
        f"{Connection.headers_within_s:.0f} s (headers)",
        f"{Connection.read_within_s:.0f} s (a body, an answer that they do not read)",
        f"{bodies.WITHIN:.0f} s (a body,",
        f"{MAX_PAYLOAD // 1024} KiB a body",
        f"{bodies.MAX_HEADERS // 1024} KiB of headers",
        f"{Connection.most_of_one} connections an address",
    ):
        assert said in line, said
    assert not Connection.own_too
    guide = (TABLE.parent / "operations.md").read_text()
    assert f"{http.CONNECTIONS + READERS:,} connections are served" in guide
    assert http.BEYOND == 100
    assert "A hundred more are told 503" in guide
