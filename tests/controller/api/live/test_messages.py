"""What is told of what happens: each type, once, in its envelope, and to whom."""

import json
from functools import partial
from typing import Any

import pytest

from controller.api.live.backlog import Backlog
from controller.api.live.messages import NOUNS, Kind
from controller.api.live.sources import Sources
from controller.services import devices, events, settling
from controller.services.accounts import apikeys
from controller.store.notices import HeartbeatsTaken
from schemas.commands import ReplyStatus
from schemas.document.stream import NAMES
from tests.controller.api.live import watching
from tests.controller.api.live.happenings import ASK, asked, beat, done, noticed, ordered, stopped
from tests.controller.api.live.watching import Events, Stand
from tests.controller.api.routes.orders import CREATE, DELETE
from tests.factories import NOON, a_heartbeat, a_presence, an_event, later


async def types_until(reader: Events, kind: str) -> list[str]:
    found = [""]
    while found[-1] != kind:
        found.append((await reader.next())["type"])
    return found[1:]


def test_the_names_are_those_that_the_documents_map_to_mqtt() -> None:
    assert {each.name for each in NAMES} == {kind.value for kind in Kind}


async def test_the_first_message_says_who_watches_what(stand: Stand) -> None:
    async with watching.events(stand, types="event,approval") as reader:
        ready = await reader.next()

    assert set(ready) == {"id", "type", "at", "data"}
    assert ready["type"] == "ready"
    assert ready["data"] == {"user": "admin", "types": ["approval", "event"], "resumed": False}


async def test_a_command_is_followed_from_its_order_to_its_end(stand: Stand, laptop: str) -> None:
    async with watching.events(stand) as reader:
        await reader.until("ready")
        command_id = await ordered(stand.api)
        await stand.api.store.write(partial(settling.published, command_id=command_id, attempt=1, now=NOON))
        await done(stand.api, command_id, status=ReplyStatus.PROGRESS, progress=0.5)
        await done(stand.api, command_id, result={"created": True})
        told = [await reader.next() for _ in range(6)]

    assert [each["type"] for each in told] == [
        "command", "tool_execute", "command", "command", "command", "tool_result"
    ]  # fmt: skip
    assert {each["data"]["command_id"] for each in told} == {command_id}
    of_command = [each["data"] for each in told if each["type"] == "command"]
    assert [(each["status"], each["progress"]) for each in of_command] == [
        ("queued", None), ("sent", None), ("accepted", 0.5), ("succeeded", 0.5)
    ]  # fmt: skip
    shown = (await stand.api.http.get(f"commands/{command_id}")).json()
    assert of_command[-1] == shown
    assert told[1]["data"]["arguments"] == {"path": "/srv/files/Test"}
    assert (told[-1]["data"]["status"], told[-1]["data"]["result"]) == ("succeeded", {"created": True})


async def test_an_end_that_comes_before_the_brokers_word_has_its_beginning(stand: Stand, laptop: str) -> None:
    async with watching.events(stand) as reader:
        await reader.until("ready")
        command_id = await ordered(stand.api)
        await done(stand.api, command_id)
        await stand.api.store.write(partial(settling.published, command_id=command_id, attempt=1, now=NOON))
        await noticed(stand.api)

        assert await types_until(reader, "event") == [
            "command", "tool_execute", "command", "tool_result", "event"
        ]  # fmt: skip


async def test_what_was_denied_never_left_and_has_no_result(stand: Stand, laptop: str) -> None:
    async with watching.events(stand) as reader:
        await reader.until("ready")
        await ordered(stand.api, CREATE | {"arguments": {"path": "/etc/orion"}})
        await noticed(stand.api)

        first = await reader.next()
        assert (first["type"], first["data"]["status"]) == ("command", "denied")
        assert await types_until(reader, "event") == ["event"]


async def test_a_card_is_told_when_it_is_asked_and_when_it_is_decided(stand: Stand, laptop: str) -> None:
    async with watching.events(stand, types="approval") as reader:
        await reader.until("ready")
        await ordered(stand.api, DELETE)
        asked_for = await reader.next()
        approval_id = asked_for["data"]["approval_id"]
        await stand.api.http.post(f"approvals/{approval_id}/decision", json={"decision": "deny"})
        decided = await reader.next()

    assert asked_for["data"]["status"] == "pending"
    assert decided["data"] == (await stand.api.http.get(f"approvals/{approval_id}")).json()
    assert decided["data"]["status"] == "denied"


async def test_an_event_is_told_once_however_often_it_comes(stand: Stand, laptop: str) -> None:
    both = [events.Arrival("laptop", an_event(each), later(1)) for each in ("event-1", "event-2", "event-2")]
    async with watching.events(stand, types="event") as reader:
        await reader.until("ready")
        await noticed(stand.api)
        await stand.api.store.write(lambda session: events.store_all(session, both))
        await noticed(stand.api, "event-3", resolves="event-1")
        told = [await reader.next() for _ in range(3)]

    assert [each["data"]["event_id"] for each in told] == ["event-1", "event-2", "event-3"]
    assert told[-1]["data"]["resolves"] == "event-1"
    shown = (await stand.api.http.get("events")).json()["items"]
    assert told[-1]["data"] | {"resolves": None} in [each | {"resolves": None} for each in shown]


async def test_a_device_is_told_of_when_it_comes_changes_and_goes(stand: Stand) -> None:
    async with watching.events(stand, types="device_register") as reader:
        await reader.until("ready")
        await watching.online(stand.api, "pump")
        added = await reader.next()
        await stand.api.http.patch("devices/pump", json={"name": "The pump"}, headers={"If-Match": "*"})
        renamed = await reader.next()
        await stopped(stand.api, "pump")
        offline = await reader.next()
        await stand.api.http.delete("devices/pump", headers={"If-Match": "*"})
        removed = await reader.next()

    assert (added["data"]["device_id"], added["data"]["status"]) == ("pump", "online")
    assert (renamed["data"]["name"], renamed["data"]["status"]) == ("The pump", "online")
    assert (offline["data"]["status"], offline["data"]["status_reason"]) == ("offline", "stopped")
    assert removed["data"] == {"device_id": "pump", "status": "removed"}


async def test_a_state_that_was_told_is_not_told_again(stand: Stand, laptop: str) -> None:
    again = partial(
        devices.store_presence, device_id="laptop", presence=a_presence(), now=NOON, retained=True
    )
    async with watching.events(stand, types="device_register,event") as reader:
        await reader.until("ready")
        await stand.api.store.write(again)
        await stand.api.store.write(again)
        await noticed(stand.api)

        assert await types_until(reader, "event") == ["device_register", "event"]


async def test_heartbeats_of_one_device_are_no_more_than_one_a_second(stand: Stand, laptop: str) -> None:
    async with watching.events(stand, types="device_heartbeat,event") as reader:
        await reader.until("ready")
        for seq in range(1, 6):
            await beat(stand.api, seq=seq)
        await noticed(stand.api)
        first, last = await reader.next(), await reader.next()

    assert (first["data"]["device_id"], first["data"]["seq"]) == ("laptop", 1)
    assert first["data"]["cpu_percent"] == 12.5
    assert last["type"] == "event"


async def test_a_turn_of_the_assistant_is_told_to_who_speaks(stand: Stand, laptop: str) -> None:
    async with watching.events(stand) as reader:
        await reader.until("ready")
        report = await asked(stand.api)
        query = await reader.until("user_query")
        answer = await reader.until("assistant_response")

    assert query["data"]["text"] == ASK
    assert query["data"]["request_id"] == answer["data"]["request_id"] == report["request_id"]
    assert (answer["data"]["type"], answer["data"]["text"]) == ("final", report["text"])


async def test_a_turn_that_breaks_has_an_end_too(
    stand: Stand, laptop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_given: object) -> None:
        raise RuntimeError("s3cr3t inside")

    monkeypatch.setattr(type(stand.api.app.state.parts.assistant), "_plan", broken)
    async with watching.events(stand, types="assistant_response") as reader:
        await reader.until("ready")
        await stand.api.http.post("ask", json={"text": ASK})
        answer = await reader.next()

    assert (answer["data"]["type"], answer["data"]["error"]["code"]) == ("error", "internal")
    assert "s3cr3t" not in json.dumps(answer)


async def test_filters_leave_what_was_asked_for(stand: Stand, laptop: str) -> None:
    await watching.online(stand.api, "pump")
    async with watching.events(stand, device_id=["pump"]) as reader:
        await reader.until("ready")
        await noticed(stand.api, "event-1", "laptop")
        await noticed(stand.api, "event-2", "pump")
        assert (await reader.next())["data"]["event_id"] == "event-2"

    command_id = await ordered(stand.api)
    async with watching.events(stand, command_id=[command_id]) as reader:
        await reader.until("ready")
        await ordered(stand.api)
        await noticed(stand.api)
        await done(stand.api, command_id)
        assert (await reader.next())["data"]["command_id"] == command_id


@pytest.mark.parametrize(
    "query",
    [{"types": "nothing"}, {"device_id": "LAPTOP/x"}, {"device_id": ["d"] * 101}, {"types": "x" * 501}],
)
async def test_what_cannot_be_asked_for_is_refused(stand: Stand, query: dict[str, Any]) -> None:
    assert (await watching.refused(stand, stand.api.token, **query)).status_code == 422


@pytest.mark.parametrize(("readers", "told"), [(1, 40), (1_000, 10)])
def test_heartbeats_are_fewer_where_many_devices_meet_many_readers(readers: int, told: int) -> None:
    backlog = Backlog(lambda: NOON)
    seconds = [0.0]
    sources = Sources(backlog, clock=lambda: seconds[0], readers=lambda: readers)
    for second in range(4):
        seconds[0] = 1.0 * second
        beats = tuple((f"device-{each}", a_heartbeat(second), NOON) for each in range(10))
        # ninety more are known: with a thousand readers each of a hundred is told every five seconds
        others = tuple((f"other-{each}", a_heartbeat(second), NOON) for each in range(90) if second == 0)
        sources.hear(HeartbeatsTaken(others + beats))

    assert sum(1 for each in backlog.after(0) if each.data["device_id"].startswith("device-")) == told


def test_each_type_takes_a_scope_of_its_own_noun() -> None:
    assert set(NOUNS) == set(Kind)
    assert set(NOUNS.values()) <= set(apikeys.NOUNS)
