"""How many read a WebSocket at once, how fast they have to, and how it ends."""

import asyncio
import json
import re
import socket as sockets
from typing import Any

import pytest
import websockets

from controller.api.live import hub
from controller.services.users import UserRole
from tests.controller.api.live import watching
from tests.controller.api.live.happenings import noticed
from tests.controller.api.live.lines import LARGE, unauthorized
from tests.controller.api.live.watching import Stand


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
    stand.server.config.timeout_graceful_shutdown = 600  # nobody's end is that it was given up
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
