"""The server as strangers meet it, byte by byte: too slow, too much, two readings of one request, odd paths."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from controller.api import app as http
from controller.api.app import Server
from controller.api.edge.answers import Answers
from controller.api.edge.asgi import App, Receive, Scope, Send
from controller.api.edge.bodies import Bodies
from controller.api.edge.connections import Connection
from schemas.wire import MAX_PAYLOAD
from tests.controller.api.conftest import Api

SOON = 20.0  # seconds; long before any of the server's own would be over by itself


class Impatient(Connection):
    """A server's connection that waits a moment only."""

    headers_within_s = 0.2
    read_within_s = 0.2
    most_of_one = 3
    own_too = True


@asynccontextmanager
async def serving(app: App, connection: type[Connection] = Connection) -> AsyncIterator[int]:
    """An application on a port of its own."""
    listener = http.bind("127.0.0.1", 0)
    http.listen(listener)
    server = await asyncio.to_thread(Server, app, connection=connection)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


@pytest.fixture
async def port(api: Api) -> AsyncIterator[int]:
    """The whole API on a port."""
    async with serving(api.app) as served:
        yield served


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


async def test_a_plain_request_is_answered(api: Api, port: int) -> None:
    answer = await exchanged(port, asking(api))

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.count(b"\r\norion-api: 1\r\n") == 1
    assert b"server:" not in answer.lower()


@pytest.mark.parametrize(
    "begun", [b"", b"GET /api/v1/health HT", b"GET /api/v1/health HTTP/1.1\r\nHost: local"]
)
async def test_headers_that_do_not_come_are_not_waited_for(api: Api, begun: bytes) -> None:
    async with serving(api.app, Impatient) as port:
        assert await exchanged(port, begun) == b""


async def test_headers_that_come_a_byte_at_a_time_have_an_end(api: Api) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"X: y\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)

    async with serving(api.app, Impatient) as port:
        assert await exchanged(port, b"GET /api/v1/health HTTP/1.1\r\n", then=trickle) == b""


async def test_the_headers_of_a_later_request_have_an_end_too(api: Api) -> None:
    first = asking(api).replace(b"Connection: close\r\n", b"")
    async with serving(api.app, Impatient) as port:
        answer = await exchanged(port, first, b"GET /api/v1/health HTTP/1.1\r\nHost:")

    assert answer.count(b"HTTP/1.1 200 OK") == 1


async def test_a_request_that_takes_its_time_to_be_answered_is_not_cut_off(api: Api) -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(3 * Impatient.headers_within_s)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving(slow, Impatient) as port:
        assert status(await exchanged(port, asking(api))) == 204


async def test_a_body_that_comes_too_slowly_is_told_so_and_hung_up_on(api: Api) -> None:
    async with serving(Answers(Bodies(api.app, pause_s=0.2))) as port:
        answer = await exchanged(port, asking(api, "POST /api/v1/commands", "Content-Length: 100"), b"{")

    assert status(answer) == 408
    assert b"\r\nconnection: close\r\n" in answer.lower()


async def test_who_does_not_read_the_answer_is_hung_up_on(api: Api) -> None:
    ended = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1_000):
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        ended.set()

    async with serving(endless, Impatient) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_024)
        writer.write(asking(api))
        async with asyncio.timeout(SOON):
            await ended.wait()  # 64 MiB fit into no socket: it has seen that nobody is there
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        del reader


async def test_one_address_has_so_many_connections_and_no_more(api: Api) -> None:
    async with serving(api.app, Impatient) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(Impatient.most_of_one)]
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


async def test_a_body_that_is_too_long_is_told_so_though_it_was_sent_in_one_go(api: Api, port: int) -> None:
    body = b"x" * (MAX_PAYLOAD + 1)

    answer = await exchanged(port, asking(api, "POST /api/v1/commands", f"Content-Length: {len(body)}"), body)

    assert status(answer) == 413
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"] == "payload_too_large"


async def test_a_body_of_which_somebody_announces_far_too_much_is_not_waited_for(api: Api, port: int) -> None:
    answer = await exchanged(port, asking(api, "POST /api/v1/commands", "Content-Length: 99999999999"))

    assert status(answer) == 413


async def test_a_body_in_chunks_without_end_is_refused(api: Api, port: int) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"

    answer = await exchanged(
        port, asking(api, "POST /api/v1/commands", "Transfer-Encoding: chunked"), *[chunk] * 80
    )

    assert answer == b"" or status(answer) == 413  # cut off, what was said may be lost with the connection


SMUGGLED = b"GET /api/v1/auth/me HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (("Content-Length: 2", "Content-Length: 58"), b"{}"),
        (("Content-Length: 2, 58",), b"{}"),
        (("Content-Length: +2",), b"{}"),
        (("Content-Length: 0x2",), b"{}"),
        (("Content-Length: -1",), b"{}"),
        (("Content-Length: 2", "Transfer-Encoding: chunked"), b"0\r\n\r\n"),
        (("Transfer-Encoding: chunked", "Content-Length: 2"), b"0\r\n\r\n"),
        (("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), b"0\r\n\r\n"),
        (("Transfer-Encoding: xchunked",), b"0\r\n\r\n"),
        (("Transfer-Encoding: chunked, identity",), b"0\r\n\r\n"),
        (("Transfer-Encoding : chunked",), b"0\r\n\r\n"),
        (("Transfer-Encoding:\x0bchunked",), b"0\r\n\r\n"),
        (("Transfer-Encoding: chunked",), b"0x2\r\n{}\r\n0\r\n\r\n"),
        (("Transfer-Encoding: chunked",), b"-2\r\n{}\r\n0\r\n\r\n"),
        (("Transfer-Encoding: chunked",), b"2\r\n{}xx0\r\n\r\n"),
        (("X: y\r\n folded", "Content-Length: x"), b""),
        (("Host: evil.example.org",), b""),
    ],
)
async def test_what_two_programs_could_read_as_two_requests_is_none(
    api: Api, port: int, headers: tuple[str, ...], body: bytes
) -> None:
    line = "POST /api/v1/commands/explain"
    request = asking(api, line, *headers).replace(b"Connection: close\r\n", b"")

    answer = await exchanged(port, request, body, SMUGGLED)

    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1  # and what came behind it was not read as a request
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert b"orion-api: 1" in answer.lower()


async def test_requests_behind_each_other_are_answered_in_their_order(api: Api, port: int) -> None:
    first, second = (
        asking(api, f"GET /api/v1/{path}").replace(b"Connection: close\r\n", b"")
        for path in ("health", "auth/me")
    )

    answer = await exchanged(port, first + second + asking(api, "GET /api/v1/nothing"))

    parts = answer.split(b"HTTP/1.1 ")[1:]
    assert [part[:3] for part in parts] == [b"200", b"200", b"404"]
    assert b"broker" in parts[0]
    assert b"username" in parts[1]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET  /api/v1/health HTTP/1.1\r\n\r\n",
        b"GET /api/v1/health HTTP/1.1\r\n\r\n",
        b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nX\x00: y\r\n\r\n",
        b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"GET /api/v1/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_told_so_once(port: int, nonsense: bytes) -> None:
    answer = await exchanged(port, nonsense)

    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"] == "invalid_arguments"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/devices/%2e%2e/users", 404),
        ("/api/v1/devices/../users", 404),
        ("/api/v1/devices/..%2fusers", 404),
        ("//api/v1/users", 404),
        ("/api/v1//users", 404),
        ("/API/v1/users", 404),
        ("/api/v1/users%00", 404),
        ("/api/v1/users/%00", 422),
        ("/api/v1/devices/%00", 422),
        ("/api/v1/devices/a%0d%0aX:%20y", 422),
        ("/api/v1/memory/%00", 404),
        ("/api/v1/commands/%00", 404),
        ("/api/v1/approvals/%ff%fe", 404),
        ("/api/v1/sessions/%ud800", 404),
        ("/api/v1/events?type=%00", 200),
        ("/api/v1/commands?parent_id=%00", 200),
        ("http://evil.example.org/api/v1/users", 404),
        ("*", 404),
    ],
)
async def test_no_path_leads_elsewhere(api: Api, port: int, path: str, expected: int) -> None:
    answer = await exchanged(port, asking(api, f"GET {path}"))

    assert status(answer) == expected, answer
    assert b"\r\nX:" not in answer


async def test_a_path_that_ends_with_a_slash_is_not_sent_to_a_name_that_somebody_chose(
    api: Api, port: int
) -> None:
    answer = await exchanged(port, asking(api, "GET //evil.example.org/%2f.."))
    slash = await exchanged(port, asking(api, "GET /api/v1/devices/"))

    assert status(answer) == 404
    assert b"evil" not in answer.split(b"\r\n\r\n")[0]
    assert status(slash) in (404, 422)
    assert b"location:" not in slash.lower()
