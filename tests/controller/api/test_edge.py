"""What stands around the application: whose name it answers to, whose pages may ask, and what each answer carries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from controller.api import app
from controller.api.edge.hosts import Hosts, own_names
from controller.api.shapes.problems import MEDIA_TYPE
from schemas.errors import ErrorCode
from tests.controller.api.conftest import AS_DESCRIBED, Api
from tests.controller.api.surrounded import Hour, around


@asynccontextmanager
async def whole(api: Api, client: str = "192.0.2.7", **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The whole API with other settings, as somebody at an address asks it."""
    parts = api.app.state.parts
    other = replace(parts, settings=parts.settings.model_copy(update=settings))
    transport = httpx.ASGITransport(await asyncio.to_thread(app.build, other), client=(client, 1))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://orion/api/v1/", event_hooks=AS_DESCRIBED
    ) as asking:
        yield asking


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost", True),
        ("LocalHost.:8180", True),
        ("panel.localhost", True),
        ("127.0.0.1:8180", True),
        ("[::1]:8180", True),
        ("[::1]", True),
        ("192.0.2.1", True),
        ("orion.example.org", True),
        ("ORION.example.org:443", True),
        ("evil.example.org", False),
        ("127.0.0.1.evil.example.org", False),
        ("localhost.evil.example.org:8180", False),
        ("evil.example.org:127.0.0.1", False),
        ("2130706433", False),
        ("localhost@evil.example.org", False),
        ("[::1].evil.example.org", False),
        ("", False),
        (":8180", False),
    ],
)
async def test_a_name_that_somebody_pointed_here_is_not_answered(host: str, is_ours: bool) -> None:
    async with around(Hour(), http_names=("orion.example.org",)) as client:
        answer = await client.get("/here", headers={"Host": host})

    assert answer.status_code == (200 if is_ours else 421)
    assert is_ours or answer.json()["code"] == ErrorCode.INVALID_ARGUMENTS


async def test_a_name_that_a_proxy_tells_is_not_believed() -> None:
    async with around(Hour()) as client:
        headers = {"Host": "evil.example.org", "X-Forwarded-Host": "localhost"}
        assert (await client.get("/here", headers=headers)).status_code == 421


async def test_a_websocket_by_another_name_is_turned_away() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "websocket", "headers": [(b"host", b"evil.example.org")]}
    door = Hosts(FastAPI(), names=own_names("127.0.0.1", ()))
    await door(scope, receive, send)
    await door(scope | {"extensions": {"websocket.http.response": {}}}, receive, send)

    assert [each["type"] for each in sent] == [
        "websocket.close",
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert sent[1]["status"] == 421


@pytest.mark.parametrize("path", ["health", "nothing", "devices", "auth/me", "openapi.json"])
async def test_every_answer_tells_a_browser_to_keep_its_hands_off(api: Api, path: str) -> None:
    answer = await api.http.get(path)

    headers = {name: answer.headers.get(name) for name in ("x-content-type-options", "referrer-policy")}
    assert headers == {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers.get_list("orion-api") == ["1"]
    assert "strict-transport-security" not in answer.headers


async def test_an_answer_to_nobody_and_one_that_failed_carry_them_too(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = await api.http.get("devices", headers={"Authorization": ""})
    elsewhere = await api.http.get("devices", headers={"Host": "evil.example.org"})

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(api.app.state.parts.quota, "spend", broken)
    failed = await api.http.get("devices")

    assert [each.status_code for each in (stranger, elsewhere, failed)] == [401, 421, 500]
    for answer in (stranger, elsewhere, failed):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers.get_list("orion-api") == ["1"]


async def test_by_tls_a_browser_comes_by_tls_again(api: Api) -> None:
    answer = await api.http.get("https://orion/api/v1/health")

    assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_no_other_page_may_ask_unless_its_origin_was_named() -> None:
    page = {"Origin": "https://panel.example.org"}
    asked = page | {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,if-match",
    }
    async with around(Hour()) as client:
        assert "access-control-allow-origin" not in (await client.get("/here", headers=page)).headers
        refused = await client.options("/here", headers=asked)
        assert "access-control-allow-origin" not in refused.headers
    async with around(Hour(), cors_origins=("https://panel.example.org",)) as client:
        answer = await client.get("/here", headers=page)
        before = await client.options("/here", headers=asked)
        other = await client.get("/here", headers={"Origin": "https://panel.example.org.evil.example"})
    assert answer.headers["access-control-allow-origin"] == "https://panel.example.org"
    assert "access-control-allow-credentials" not in answer.headers
    assert before.status_code == 200
    assert "PATCH" in before.headers["access-control-allow-methods"]
    assert "access-control-allow-origin" not in other.headers


PANEL = "https://panel.example.org"


@pytest.mark.parametrize(
    ("origin", "method", "header"),
    [
        ("https://evil.example", "GET", "authorization"),
        ("null", "GET", "authorization"),
        (PANEL, "TRACE", "authorization"),
        (PANEL, "GET", "x-made-up"),
    ],
)
async def test_a_page_that_may_not_ask_is_told_so_as_everybody_is(
    api: Api, origin: str, method: str, header: str
) -> None:
    async with whole(api, cors_origins=(PANEL,)) as client:
        answer = await client.options(
            "devices",
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": header,
            },
        )

    assert (answer.status_code, answer.headers["content-type"]) == (400, MEDIA_TYPE)
    assert answer.json()["code"] == ErrorCode.INVALID_ARGUMENTS
    assert answer.json()["trace_id"] == answer.headers["trace-id"]
    assert "Origin" in answer.headers["vary"]
    assert ("access-control-allow-origin" in answer.headers) == (origin == PANEL)


async def test_a_page_that_may_ask_traces_its_requests_and_sees_why_it_was_not_let_in(api: Api) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    page = {"Origin": PANEL, "Authorization": "", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    async with whole(api, cors_origins=(PANEL,)) as client:
        asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "traceparent"}
        before = await client.options("devices", headers={"Origin": PANEL} | asked)
        answer = await client.get("devices", headers=page)

    assert before.status_code == 200
    assert (answer.status_code, answer.headers["trace-id"]) == (401, trace)
    shown = answer.headers["access-control-expose-headers"].lower().split(", ")
    assert {"trace-id", "www-authenticate"} <= set(shown)
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_the_edge_holds_back_no_part_of_a_stream(api: Api, laptop: str) -> None:
    body = {"device_id": "laptop", "tool": "path_info", "arguments": {"path": "x"}}
    command_id = (await api.http.post("commands", json=body)).json()["command_id"]
    parts: asyncio.Queue[Any] = asyncio.Queue()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": f"/api/v1/commands/{command_id}/watch",
        "raw_path": b"",
        "query_string": b"within_s=300",
        "root_path": "",
        "headers": [(b"host", b"orion"), (b"authorization", f"Bearer {api.token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("orion", 80),
    }
    heard: asyncio.Queue[Any] = asyncio.Queue()
    heard.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    watching = asyncio.create_task(api.app(scope, heard.get, parts.put))
    async with asyncio.timeout(20):
        start, line = await parts.get(), await parts.get()
    assert (start["status"], line["more_body"]) == (200, True)
    assert command_id.encode() in line["body"]
    assert not watching.done()
    heard.put_nowait({"type": "http.disconnect"})
    await watching
