"""The server as strangers meet it, byte by byte: who is slow, does not read, or comes with too many."""

import asyncio
from contextlib import suppress

import pytest

from controller.api.edge.answers import Answers
from controller.api.edge.asgi import Receive, Scope, Send
from controller.api.edge.bodies import Bodies
from controller.api.edge.connections import Connection
from tests.controller.api.conftest import Api
from tests.controller.api.wire.exchanging import SOON, asking, exchanged, serving, status


class Impatient(Connection):
    """A server's connection that waits a moment only."""

    headers_within_s = 0.2
    read_within_s = 0.2
    most_of_one = 3
    own_too = True


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
