"""The lines themselves: who is let in, what may come in, who does not read, and how it all ends."""

import asyncio
import json
import logging
import re
import socket as sockets
from typing import Any

import httpx
import pytest
import websockets

from controller.api.live import hub, websocket
from controller.services.users import UserRole
from tests.controller.api.live import watching
from tests.controller.api.live.happenings import noticed
from tests.controller.api.live.watching import Stand

PING = '{"type":"ping"}'
LARGE = {"text": "x" * 100_000}


async def unauthorized(stand: Stand, **headers: str) -> httpx.Response:
    """The answer to an upgrade that is refused before anything is a WebSocket."""
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with websockets.connect(stand.ws_url, additional_headers=headers, proxy=None):
            pass
    answer = refused.value.response
    return httpx.Response(
        answer.status_code, headers=list(answer.headers.raw_items()), content=bytes(answer.body)
    )


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


async def test_who_says_nothing_is_not_waited_for(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "SAYS_WHO_WITHIN", 0.2)
    async with websockets.connect(stand.ws_url, proxy=None) as line:
        assert await watching.closed(line) == (4401, "unauthorized")


async def test_those_who_have_not_said_who_they_are_are_so_many_at_most(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "WAITING", 1)
    async with websockets.connect(stand.ws_url, proxy=None) as first:
        answer = await unauthorized(stand)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "5"
        await first.send(json.dumps({"type": "auth", "token": stand.api.token}))
        assert (await watching.told(first))["type"] == "ready"
        async with websockets.connect(stand.ws_url, proxy=None) as second:  # there is room again
            await second.send(json.dumps({"type": "auth", "token": stand.api.token}))
            assert (await watching.told(second))["type"] == "ready"


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


async def test_there_is_room_for_so_many_of_one_user_and_so_many_in_all(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "OF_ONE", 2)
    monkeypatch.setattr(stand.live, "_most", 3)
    other = await watching.token_of(stand.api, "otto", UserRole.OPERATOR)
    late = await watching.token_of(stand.api, "late", UserRole.VIEWER)
    async with watching.events(stand) as first, watching.socket(stand) as second:
        await first.until("ready")
        await watching.told(second)
        answer = await watching.refused(stand, stand.api.token)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
        assert "admin has" in answer.json()["detail"]
        assert (await unauthorized(stand, Authorization=f"Bearer {stand.api.token}")).status_code == 429
        async with websockets.connect(stand.ws_url, proxy=None) as third:
            await third.send(json.dumps({"type": "auth", "token": stand.api.token}))
            assert await watching.closed(third) == (1013, "try_again")
        async with watching.events(stand, other) as fourth:
            await fourth.until("ready")
            assert "This controller has" in (await watching.refused(stand, late)).json()["detail"]
    await watching.until(lambda: stand.live.count == 0)
    async with watching.events(stand) as again:
        await again.until("ready")


class Deaf:
    """A client that asks for the stream and then does not read."""

    def __init__(self, stand: Stand, *headers: str) -> None:
        self._line = sockets.socket()
        self._line.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
        self._line.connect(("127.0.0.1", stand.port))
        head = [
            "GET /api/v1/stream HTTP/1.1",
            f"Host: 127.0.0.1:{stand.port}",
            f"Authorization: Bearer {stand.api.token}",
            *headers,
        ]
        self._line.sendall(("\r\n".join(head) + "\r\n\r\n").encode())

    def close(self) -> None:
        self._line.close()


UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
)


@pytest.mark.parametrize("headers", [(), UPGRADE], ids=["events", "websocket"])
async def test_who_does_not_read_is_dropped_and_the_others_go_on(
    stand: Stand, laptop: str, headers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.api.live.reader.STUCK", 0.5)
    async with watching.events(stand, types="event") as reader:
        await reader.until("ready")
        deaf = await asyncio.to_thread(Deaf, stand, *headers)
        await watching.until(lambda: stand.live.count == 2)
        for number in range(60):
            await noticed(stand.api, f"event-{number}", data=LARGE)
            assert (await reader.next())["data"]["event_id"] == f"event-{number}"
        await watching.until(lambda: stand.live.count == 1)
        await noticed(stand.api, "last")

        assert (await reader.next())["data"]["event_id"] == "last"
        # nothing of it is left: it was cut, since it takes no farewell
        await watching.until(lambda: len(stand.server.server_state.connections) == 1)
        deaf.close()


async def test_who_falls_behind_what_is_kept_is_told_and_may_come_back(
    stand: Stand, laptop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching.events(stand, types="event") as slow, watching.socket(stand) as line:
        await slow.until("ready")
        await watching.told(line)
        stand.live.backlog.lost = stand.live.backlog.number + 1  # as if more had come than is kept
        await noticed(stand.api)

        assert (await slow.rest())[-1]["data"] == {"reason": "too_slow", "code": 4408}
        assert await watching.closed(line) == (4408, "too_slow")


async def test_who_goes_is_gone(stand: Stand) -> None:
    async with watching.events(stand) as reader, watching.socket(stand) as line:
        await reader.until("ready")
        await watching.told(line)
        assert stand.live.count == 2

    await watching.until(lambda: stand.live.count == 0)
    await watching.until(lambda: not stand.server.server_state.connections)


async def test_a_line_that_breaks_is_gone_too(stand: Stand) -> None:
    deaf = await asyncio.to_thread(Deaf, stand, *UPGRADE)
    await watching.until(lambda: stand.live.count == 1)
    linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
    deaf._line.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, linger)
    deaf.close()  # with a reset

    await watching.until(lambda: stand.live.count == 0)


async def test_a_stop_ends_all_of_them_and_waits_for_nobody(stand: Stand, laptop: str) -> None:
    deaf = await asyncio.to_thread(Deaf, stand)
    async with (
        watching.events(stand, types="approval") as reader,
        watching.socket(stand, query="?types=approval") as line,
    ):
        await reader.until("ready")
        await watching.told(line)
        await watching.until(lambda: stand.live.count == 3)
        for number in range(60):
            await noticed(stand.api, f"event-{number}", data=LARGE)
        stand.live.close()
        stand.server.should_exit = True

        assert (await reader.rest())[-1]["data"] == {"reason": "stopping", "code": 1012}
        assert await watching.closed(line) == (1012, "stopping")
        async with asyncio.timeout(1.5):  # less than uvicorn would wait before it gives up on a request
            await watching.until(lambda: not stand.server.server_state.connections)
    assert stand.live.count == 0
    deaf.close()


async def test_nothing_is_compressed(stand: Stand) -> None:
    async with watching.socket(stand) as line:
        assert line.protocol.extensions == []


async def test_many_readers_get_all_of_it_in_order(stand: Stand, laptop: str) -> None:
    tokens = [await watching.token_of(stand.api, f"user-{each}", UserRole.VIEWER) for each in range(3)]

    async def read(number: int) -> list[Any]:
        async with watching.events(stand, tokens[number % 3], types="event") as reader:
            await reader.until("ready")
            return [(await reader.next())["data"]["event_id"] for _ in range(100)]

    reading = [asyncio.create_task(read(number)) for number in range(60)]
    await watching.until(lambda: stand.live.count == 60)
    for number in range(100):
        await noticed(stand.api, f"event-{number}")

    expected = [f"event-{number}" for number in range(100)]
    assert all(found == expected for found in await asyncio.gather(*reading))


async def test_how_long_somebody_watches_is_not_how_long_an_answer_takes(stand: Stand) -> None:
    clock = asyncio.get_running_loop().time
    asked_at = clock()
    async with watching.events(stand) as reader:
        await reader.until("ready")
        answered = clock() - asked_at
        await asyncio.sleep(answered + 0.1)  # longer than that in any case
    await watching.until(lambda: not stand.server.server_state.connections)

    figures = (await stand.api.http.get("http://orion/metrics")).text
    found = re.search(r"^http_request_duration_seconds_sum\{.*/stream.*\} (.+)$", figures, re.MULTILINE)
    assert found is not None, figures
    assert float(found[1]) <= answered
