"""Who would like a WebSocket and gets none is told so as everybody is."""

import json
import logging

import pytest

from controller.api.headers import ALWAYS, NOT_KEPT, UNLESS_SAID
from controller.api.shapes.problems import MEDIA_TYPE
from tests.controller.api.conftest import Api
from tests.controller.api.wire.exchanging import asking, exchanged, status

KEY = "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
VERSION = "Sec-WebSocket-Version: 13"
UPGRADE = "Upgrade: websocket"


def upgrading(api: Api, line: str, *headers: str, host: str = "localhost") -> bytes:
    return asking(api, line, *headers, host=host).replace(b"Connection: close", b"Connection: Upgrade")


@pytest.mark.parametrize(
    ("line", "headers", "expected"),
    [
        ("GET /api/v1/devices", (UPGRADE, KEY, VERSION), 404),
        ("GET /nowhere", (UPGRADE, KEY, VERSION), 404),
        ("GET /healthz", (UPGRADE, KEY, VERSION), 404),
        ("GET http://localhost/nowhere", (UPGRADE, KEY, VERSION), 404),
        ("GET /api/v1/stream?types=nothing", (UPGRADE, KEY, VERSION), 422),
        (f"GET /api/v1/stream?types={'x' * 600}", (UPGRADE, KEY, VERSION), 422),
        ("GET /api/v1/stream", (UPGRADE, KEY, VERSION, "Origin: https://evil.example"), 403),
        ("GET /api/v1/stream", (UPGRADE, VERSION), 400),
        ("GET /api/v1/stream", (UPGRADE, KEY), 400),
        ("GET /api/v1/stream", (UPGRADE, KEY, "Sec-WebSocket-Version: 8"), 400),
        ("GET /api/v1/stream", (UPGRADE, "Sec-WebSocket-Key: x", VERSION), 400),
        ("GET /api/v1/stream", (UPGRADE, UPGRADE, KEY, VERSION), 426),
        (
            "POST /api/v1/devices/x/adopt",
            (UPGRADE, KEY, VERSION, "Content-Type: application/json", "Content-Length: 2"),
            428,
        ),
        ("DELETE /nowhere", (UPGRADE, KEY, VERSION), 404),
    ],
)
async def test_who_gets_no_websocket_is_told_so_as_everybody_is(
    api: Api, port: int, caplog: pytest.LogCaptureFixture, line: str, headers: tuple[str, ...], expected: int
) -> None:
    answer = await exchanged(port, upgrading(api, line, *headers), b"{}" if "POST" in line else b"")

    head, _, body = answer.partition(b"\r\n\r\n")
    carried = dict(each.decode("latin-1").lower().split(": ", 1) for each in head.split(b"\r\n")[1:])
    assert status(answer) == expected, answer
    assert carried["content-type"] == MEDIA_TYPE
    assert json.loads(body)["status"] == expected
    assert json.loads(body)["trace_id"] == carried["trace-id"]
    assert {name.lower() for name in ALWAYS | UNLESS_SAID | NOT_KEPT} <= set(carried)
    assert answer.lower().count(b"orion-api: 1") == 1
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


async def test_a_websocket_by_another_name_is_told_so_too(api: Api, port: int) -> None:
    request = upgrading(api, "GET /api/v1/stream", UPGRADE, KEY, VERSION, host="evil.example.org")

    answer = await exchanged(port, request)

    assert status(answer) == 421
    assert b"orion-api: 1" in answer.lower()
