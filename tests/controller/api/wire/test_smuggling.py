"""What two programs could read as two requests, or as another address, is neither."""

import json
import re

import pytest

from controller.api.headers import ALWAYS, NOT_KEPT, UNLESS_SAID
from controller.api.shapes.problems import MEDIA_TYPE
from schemas.wire import MAX_PAYLOAD
from tests.controller.api.conftest import Api
from tests.controller.api.wire.exchanging import asking, exchanged, status


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


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Bearer x",
        "Idempotency-Key: b",
        "Content-Type: text/plain",
        "ORIGIN: null",
        "last-event-id: 1",
    ],
)
@pytest.mark.parametrize("line", ["POST /api/v1/commands", "GET /api/v1/stream", "GET /api/v1/auth/me"])
async def test_what_two_programs_could_take_for_two_people_or_orders_is_neither(
    api: Api, port: int, line: str, header: str
) -> None:
    once = ("Idempotency-Key: a", "Content-Type: application/json", "Origin: null", "Last-Event-ID: 1")
    body = () if line.startswith("GET") else ("Content-Length: 2",)

    answer = await exchanged(port, asking(api, line, *once, *body, header), b"{}" if body else b"")

    assert status(answer) == 400
    found = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert found["code"] == "invalid_arguments"
    assert header.partition(":")[0].lower() in found["detail"].lower()


async def test_a_websocket_that_says_twice_who_it_is_from_is_turned_away(api: Api, port: int) -> None:
    handshake = (
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
    )
    twice = asking(api, "GET /api/v1/stream", *handshake, "Authorization: Bearer x")

    answer = await exchanged(port, twice.replace(b"Connection: close", b"Connection: Upgrade"))

    assert status(answer) == 400


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
    _is_a_problem(answer)


def _is_a_problem(answer: bytes) -> None:
    """It is an error as any other: what every answer carries, a code and the trace."""
    head, _, body = answer.partition(b"\r\n\r\n")
    carried = dict(line.decode("latin-1").lower().split(": ", 1) for line in head.split(b"\r\n")[1:])
    found = json.loads(body)
    assert found["code"] == "invalid_arguments"
    assert re.fullmatch("[0-9a-f]{32}", found["trace_id"])
    assert carried["trace-id"] == found["trace_id"]
    assert carried["content-type"] == MEDIA_TYPE
    assert carried["connection"] == "close"
    assert {name.lower() for name in ALWAYS | UNLESS_SAID | NOT_KEPT} <= set(carried)


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
        ("http://evil.example.org/api/v1/users", 421),
        ("http://localhost@evil.example.org/api/v1/users", 421),
        ("http:///api/v1/users", 421),
        ("http://localhost/api/v1//users", 404),
        ("http://localhost", 404),
        ("http://localhost?x=/api/v1/users", 404),
        ("localhost/api/v1/users", 404),
        ("*", 404),
    ],
)
async def test_no_path_leads_elsewhere(api: Api, port: int, path: str, expected: int) -> None:
    answer = await exchanged(port, asking(api, f"GET {path}"))

    assert status(answer) == expected, answer
    assert b"\r\nX:" not in answer


@pytest.mark.parametrize(
    "target", ["http://localhost/api/v1/commands?limit=1", "HTTP://LocalHost:80/api/v1/commands?limit=1"]
)
@pytest.mark.parametrize("host", ["localhost", "evil.example.org"])
async def test_a_target_that_is_said_in_full_is_served_and_its_host_counts(
    api: Api, port: int, target: str, host: str
) -> None:
    answer = await exchanged(port, asking(api, f"GET {target}", host=host))

    assert status(answer) == 200
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1]) == {"items": [], "next": None}


async def test_a_target_in_full_needs_no_other_name_of_its_host_in_http_1_0(api: Api, port: int) -> None:
    ours = await exchanged(port, b"GET http://localhost/api/v1/health HTTP/1.0\r\n\r\n")
    other = await exchanged(port, b"GET http://evil.example.org/api/v1/health HTTP/1.0\r\n\r\n")

    assert (status(ours), status(other)) == (200, 421)


async def test_a_path_that_ends_with_a_slash_is_not_sent_to_a_name_that_somebody_chose(
    api: Api, port: int
) -> None:
    answer = await exchanged(port, asking(api, "GET //evil.example.org/%2f.."))
    slash = await exchanged(port, asking(api, "GET /api/v1/devices/"))

    assert status(answer) == 404
    assert b"evil" not in answer.split(b"\r\n\r\n")[0]
    assert status(slash) in (404, 422)
    assert b"location:" not in slash.lower()
