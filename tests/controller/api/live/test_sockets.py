"""The lines themselves: who is let in, what may come in, who does not read, and how it all ends."""

import json
import logging
from contextlib import AsyncExitStack

import pytest
import websockets

from controller.api.live import hub, websocket
from controller.services.users import UserRole
from tests.controller.api.live import watching
from tests.controller.api.live.happenings import noticed
from tests.controller.api.live.lines import unauthorized
from tests.controller.api.live.watching import Stand

PING = '{"type":"ping"}'


async def test_a_program_shows_its_token_in_the_header(stand: Stand) -> None:
    async with watching.socket(stand) as line:
        ready = await watching.told(line)

    assert (ready["type"], ready["data"]["user"]) == ("ready", "admin")


@pytest.mark.parametrize("bearer", ["Bearer wrong", "Bearer ", "Basic x", "wrong"])
async def test_a_wrong_token_is_refused_before_there_is_a_websocket(stand: Stand, bearer: str) -> None:
    answer = await unauthorized(stand, Authorization=bearer)

    assert (answer.status_code, answer.json()["code"]) == (401, "permission_denied")
    assert (await watching.refused(stand, "wrong")).status_code == 401


async def test_a_key_that_opens_nothing_is_refused_before_there_is_a_websocket(stand: Stand) -> None:
    await watching.token_of(stand.api, "ann", UserRole.ADMIN)
    _, key = await watching.key_of(stand.api, "ann", "events:read")

    answer = await unauthorized(stand, Authorization=f"Bearer {key}")

    assert answer.status_code == 403
    assert "stream:read" in answer.json()["detail"]


async def test_that_a_key_was_used_is_noted(stand: Stand) -> None:
    await watching.token_of(stand.api, "ann", UserRole.ADMIN)
    key_id, key = await watching.key_of(stand.api, "ann", "stream:read", "events:read")
    async with watching.socket(stand, key) as line:
        assert (await watching.told(line))["data"]["types"] == ["event"]

    await stand.api.store.write(lambda _: None)  # behind what was noted of its use
    assert (await stand.api.http.get(f"keys/{key_id}")).json()["last_used_at"] is not None


async def test_a_browser_says_its_token_first_of_all(stand: Stand, laptop: str) -> None:
    async with websockets.connect(stand.ws_url, proxy=None) as line:
        await line.send(json.dumps({"type": "auth", "token": stand.api.token}))
        seen = await watching.told(line)
        assert seen["type"] == "ready"
    await noticed(stand.api)
    async with websockets.connect(stand.ws_url, proxy=None) as line:
        first = {"type": "auth", "token": stand.api.token, "last_event_id": seen["id"]}
        await line.send(json.dumps(first))
        assert (await watching.told(line))["data"]["resumed"] is True
        assert (await watching.told(line))["type"] == "event"


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ('{"type": "auth", "token": "wrong"}', 4401),
        ('{"type": "auth"}', 4400),
        ('{"type": "auth", "token": "x", "more": 1}', 4400),
        ('{"type": "hello"}', 4400),
        ("[]", 4400),
        ("{", 4400),
        ("", 4400),
        (b'{"type": "auth", "token": "x"}', 4400),
        ('{"type": "auth", "token": "' + "x" * 5_000 + '"}', 4400),
    ],
)
async def test_who_says_anything_else_first_is_not_let_in(
    stand: Stand, first: str | bytes, code: int
) -> None:
    async with websockets.connect(stand.ws_url, proxy=None) as line:
        await line.send(first)
        assert (await watching.closed(line))[0] == code


@pytest.mark.parametrize("token", [None, "the owner's"])
async def test_what_is_no_text_ends_the_line_and_fills_no_log(
    stand: Stand, token: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    shown = None if token is None else {"Authorization": f"Bearer {stand.api.token}"}
    async with websockets.connect(stand.ws_url, additional_headers=shown, proxy=None) as line:
        if token is not None:
            await watching.told(line)
        await line.send(b"\xff\xfe", text=True)
        assert (await watching.closed(line))[0] == 1007

    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


async def test_who_goes_without_a_word_fills_no_log(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    async with websockets.connect(stand.ws_url, proxy=None):
        pass
    await watching.until(lambda: not stand.server.server_state.connections)

    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"Authorization": "Bearer wrong"}, "", 401),
        ({"Origin": "https://evil.example"}, "", 403),
        ({}, "?types=bla", 422),
        ({}, "?device_id=../x", 422),
    ],
)
async def test_who_is_refused_fills_no_log(
    stand: Stand, headers: dict[str, str], query: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await unauthorized(stand, query, **headers)).status_code == status
    await watching.until(lambda: not stand.server.server_state.connections)

    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("device_id", "../x"),
        ("last_event_id", "x" * 65),
        ("types", "bla"),
        ("types", "x" * 501),
        ("command_id", "x" * 200),
    ],
)
async def test_what_does_not_fit_is_told_as_of_any_request(stand: Stand, field: str, value: str) -> None:
    answer = await unauthorized(stand, f"?{field}={value}", Authorization=f"Bearer {stand.api.token}")
    by_sse = await watching.refused(stand, stand.api.token, **{field: value})

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["detail"].startswith(field)
    assert {**answer.json(), "trace_id": ""} == {**by_sse.json(), "trace_id": ""}


async def test_who_says_nothing_is_not_waited_for(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "SAYS_WHO_WITHIN", 0.2)
    async with websockets.connect(stand.ws_url, proxy=None) as line:
        assert await watching.closed(line) == (4401, "unauthorized")


async def test_who_says_nothing_keeps_nobody_out(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "WAITING", 2)
    door = stand.api.app.state.parts.door
    async with AsyncExitStack() as open_lines:
        silent = [
            await open_lines.enter_async_context(websockets.connect(stand.ws_url, proxy=None))
            for _ in range(5)
        ]
        for oldest in silent[:3]:
            assert await watching.closed(oldest) == (1013, "try_again")
        assert door.waiting == 2
        for _ in range(3):
            async with websockets.connect(stand.ws_url, proxy=None) as line:
                await line.send(json.dumps({"type": "auth", "token": stand.api.token}))
                assert (await watching.told(line))["type"] == "ready"


async def test_an_address_that_says_nothing_keeps_out_itself_first(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "WAITING", 4)
    monkeypatch.setattr(websocket, "OF_ONE", 2)
    monkeypatch.setattr(websocket, "LOOPBACK", ("127.0.0.1",))

    def connected(address: str) -> websockets.connect:
        return websockets.connect(stand.ws_url, proxy=None, local_addr=(address, 0))

    async with AsyncExitStack() as open_lines:
        slow = await open_lines.enter_async_context(connected("127.0.0.2"))
        many = [await open_lines.enter_async_context(connected("127.0.0.3")) for _ in range(4)]
        for oldest in many[:2]:  # there may be two of it
            assert await watching.closed(oldest) == (1013, "try_again")
        behind_a_proxy = [
            await open_lines.enter_async_context(connected("127.0.0.1")) for _ in range(4)
        ]  # of which there may be as many as of all
        assert await watching.closed(many[2]) == (1013, "try_again")
        for oldest in behind_a_proxy[:2]:
            assert await watching.closed(oldest) == (1013, "try_again")
        await slow.send(json.dumps({"type": "auth", "token": stand.api.token}))
        assert (await watching.told(slow))["type"] == "ready"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", ""])
async def test_a_page_of_another_origin_opens_nothing(stand: Stand, origin: str) -> None:
    answer = await unauthorized(stand, Authorization=f"Bearer {stand.api.token}", Origin=origin)

    assert answer.status_code == 403


async def test_a_page_of_ours_may(stand: Stand) -> None:
    async with watching.socket(stand, origin=f"http://127.0.0.1:{stand.port}") as line:
        assert (await watching.told(line))["type"] == "ready"


@pytest.mark.parametrize("said", ["{", '{"type":"subscribe"}', "", b"\x00", '{"type":"auth","token":"x"}'])
async def test_what_is_not_known_ends_it(stand: Stand, said: str | bytes) -> None:
    async with watching.socket(stand) as line:
        await line.send(said)

        assert await watching.closed(line) == (4400, "bad_message")


async def test_what_is_too_large_ends_it_unread(stand: Stand) -> None:
    async with watching.socket(stand) as line:
        await line.send("x" * (websocket.MAX_SIZE + 1))

        assert (await watching.closed(line))[0] == 1009


async def test_a_ping_is_answered_and_too_many_end_it(stand: Stand) -> None:
    async with watching.socket(stand) as line:
        await watching.told(line)
        await line.send(PING)
        assert (await watching.told(line))["type"] == "keep_alive"
        for _ in range(websocket.RATE):
            await line.send(PING)

        assert await watching.closed(line) == (4429, "too_fast")


async def test_a_line_on_which_nothing_happens_is_kept_alive(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "KEEP_ALIVE", 0.0)
    async with watching.socket(stand) as line:
        await watching.told(line)

        assert (await watching.told(line))["type"] == "keep_alive"
