"""In: nothing is acknowledged before it is stored, and nothing unusable stops the rest."""

import asyncio
import json
import logging

import pytest

from controller.services import devices, events
from controller.services.orders import Status
from controller.store.store import Store
from schemas.commands import ReplyStatus
from schemas.topics import Kind
from tests.controller.mqtt.door import Door, arrive, device, stored, until
from tests.controller.mqtt.peer import Peer
from tests.controller.store.read_only import set_read_only
from tests.factories import ADMIN, a_heartbeat, a_place, a_presence, a_profile, a_reply, a_request, an_event


async def test_an_event_is_stored_once_and_acknowledged_each_time(door: Door, laptop: Peer) -> None:
    for _ in range(3):
        await laptop.say(Kind.EVENT, an_event("e1"))
        assert (await laptop.heard("/ack")).json["events"] == ["e1"]

    assert await door.store.read(stored) == ["e1"]


async def test_a_flood_is_stored_whole_and_acknowledged_in_batches(door: Door, laptop: Peer) -> None:
    ids = [f"e{number:03}" for number in range(500)]
    async with asyncio.TaskGroup() as group:
        for event_id in ids:
            group.create_task(laptop.say(Kind.EVENT, an_event(event_id)))

    acked: list[str] = []
    acks = 0
    while len(acked) < len(ids):
        acked += (await laptop.heard("/ack")).json["events"]
        acks += 1
    assert sorted(acked) == ids == await door.store.read(stored)
    assert acks < len(ids)


async def test_while_the_store_refuses_nothing_is_acknowledged_and_nothing_lost(
    door: Door, laptop: Peer
) -> None:
    await asyncio.to_thread(set_read_only, door.store, "ON")
    await laptop.say(Kind.EVENT, an_event("e1"))
    await laptop.say(Kind.PRESENCE, a_presence("offline"), retain=True)
    await _until_refused()
    assert laptop.waiting("/ack") == 0

    await asyncio.to_thread(set_read_only, door.store, "OFF")

    assert (await laptop.heard("/ack")).json["events"] == ["e1"]
    await door.until_device("offline")
    assert await door.store.read(stored) == ["e1"]


async def test_what_waited_for_a_store_that_stalled_ends_with_a_word_of_our_own(
    door: Door, laptop: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.mqtt.inbox.STALL", 0.2)
    controllers = door.topics.every_controller()
    await laptop.client.subscribe(controllers, qos=1)
    first = (await laptop.heard("/presence")).json
    await asyncio.to_thread(set_read_only, door.store, "ON")
    await laptop.say(Kind.EVENT, an_event("e1"))
    await _until_refused()
    await asyncio.sleep(0.2)  # it stalls for so long at least

    await asyncio.to_thread(set_read_only, door.store, "OFF")

    again = (await laptop.heard("/presence")).json
    assert again["state"] == "online"
    assert (again["boot_id"], again["at"] > first["at"]) == (first["boot_id"], True)


async def _until_refused() -> None:
    """Until the store has said that the database did not take something."""
    found: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith(("A transaction of", "A unit of work failed")):
                found.append(record.getMessage())

    listener = Listener()
    store = logging.getLogger("controller.store")
    store.addHandler(listener)
    try:

        async def heard() -> bool:
            return bool(found)

        await until(heard)
    finally:
        store.removeHandler(listener)


async def test_what_was_not_stored_when_the_controller_died_comes_again(
    door: Door, laptop: Peer, store: Store
) -> None:
    await asyncio.to_thread(set_read_only, store, "ON")
    await laptop.say(Kind.EVENT, an_event("e1"))
    await _until_refused()

    session = door.link._session
    assert session is not None
    await session.close(keep_will=True)  # the connection dies with the message unacknowledged
    await asyncio.to_thread(set_read_only, store, "OFF")

    assert (await laptop.heard("/ack")).json["events"] == ["e1"]
    assert await store.read(stored) == ["e1"]


@pytest.mark.parametrize("kind", [Kind.EVENT, Kind.REPLY])
async def test_a_retained_happening_is_dropped(door: Door, laptop: Peer, kind: Kind) -> None:
    row = await door.submit(a_request())
    await laptop.heard("/command")
    message = an_event("kept") if kind is Kind.EVENT else a_reply(row.id)
    await laptop.say(kind, message, retain=True)
    await laptop.say(Kind.EVENT, an_event("good"))

    assert (await laptop.heard("/ack")).json["events"] == ["good"]
    assert await door.store.read(stored) == ["good"]
    assert not Status((await door.command(row.id)).status).is_final
    assert door.complaints.counts["laptop"] == 1


async def test_a_retained_heartbeat_is_no_sign_of_life(door: Door) -> None:
    async with device(door) as laptop:
        await laptop.say(Kind.PROFILE, a_profile(), retain=True)
        await laptop.say(Kind.PRESENCE, a_presence(), retain=True)
        await laptop.say(Kind.HEARTBEAT, a_heartbeat(cpu_percent=7.0), retain=True)
        await door.until_device("online")

        await door.link.look_again("laptop")
        session = door.link._session
        assert session is not None
        await session.close(keep_will=True)
        door.link.online.clear()
        await door.link.online.wait()

    assert door.complaints.counts["laptop"] == 0


async def test_heartbeats_reach_the_store_in_batches(door: Door, laptop: Peer) -> None:
    door.pass_time(6)
    await laptop.say(Kind.HEARTBEAT, a_heartbeat(1, cpu_percent=1.0))

    async def first() -> bool:
        return ((await door.device()).heartbeat or {}).get("seq") == 1

    await until(first)
    for seq in range(2, 10):
        await laptop.say(Kind.HEARTBEAT, a_heartbeat(seq))
    await laptop.say(Kind.EVENT, an_event("mark"))
    await laptop.heard("/ack")
    assert ((await door.device()).heartbeat or {}).get("seq") == 1

    door.pass_time(6)
    await laptop.say(Kind.EVENT, an_event("again"))

    async def last() -> bool:
        return ((await door.device()).heartbeat or {}).get("seq") == 9

    await until(last)


async def test_a_profile_that_names_another_device_is_dropped(
    door: Door, laptop: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    await laptop.say(Kind.PROFILE, a_profile("printer", tools=[]), retain=True)
    await laptop.say(Kind.EVENT, an_event("good"))
    await laptop.heard("/ack")

    assert "Dropped a message of laptop: malformed Profile: device_id" in caplog.text
    assert '"create_directory"' in ((await door.device()).profile or "")


async def test_a_device_without_a_place_is_told_not_to_send_again(door: Door) -> None:
    async with device(door, "stranger", place=False) as stranger:
        await stranger.say(Kind.PROFILE, a_profile("stranger"), retain=True)
        await stranger.say(Kind.PRESENCE, a_presence(), retain=True)
        await stranger.say(Kind.EVENT, an_event("e1"))

        assert (await stranger.heard("/ack")).json["refused"] == [{"id": "e1", "code": "unknown_device"}]
    assert await door.store.read(lambda session: events.recent(session)) == []


async def test_a_final_reply_is_acknowledged_whatever_it_did(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request())
    await laptop.heard("/command")
    for status in (ReplyStatus.SUCCEEDED, ReplyStatus.SUCCEEDED, ReplyStatus.FAILED):
        await laptop.say(Kind.REPLY, a_reply(row.id, status))
        assert (await laptop.heard("/ack")).json["replies"] == [row.id]

    assert (await door.command(row.id)).status == Status.SUCCEEDED


async def test_a_reply_that_is_not_final_is_not_acknowledged(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request())
    await laptop.heard("/command")
    await laptop.say(Kind.REPLY, a_reply(row.id, ReplyStatus.ACCEPTED))
    await laptop.say(Kind.EVENT, an_event("mark"))

    assert "replies" not in (await laptop.heard("/ack")).json
    assert (await door.command(row.id)).status == Status.ACCEPTED


async def test_replies_nobody_asked_for_are_refused_and_audited(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request())
    async with device(door, "printer") as printer:
        await printer.say(Kind.REPLY, a_reply(row.id))
        assert (await printer.heard("/ack")).json["refused"] == [{"id": row.id, "code": "not_found"}]
    await laptop.say(Kind.REPLY, a_reply("never-was"))
    assert (await laptop.heard("/ack")).json["refused"] == [{"id": "never-was", "code": "not_found"}]

    assert not Status((await door.command(row.id)).status).is_final
    assert len(await door.audited("reply.refused")) == 2


async def test_a_reply_to_another_instance_settles_all_the_same(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request())
    await laptop.say(Kind.REPLY, a_reply(row.id), to=door.topics.reply("laptop", "another_one"))

    await door.until_status(row.id, Status.SUCCEEDED)


async def test_unknown_fields_are_ignored(door: Door, laptop: Peer) -> None:
    event = an_event("e1").to_json() | {"colour": "blue", "nested": {"deep": [1]}}
    await laptop.say(Kind.EVENT, json.dumps(event).encode())

    assert (await laptop.heard("/ack")).json["events"] == ["e1"]


async def test_awkward_text_is_stored_as_it_came(door: Door, laptop: Peer) -> None:
    data = {"nul": "a\x00b", "long": "x" * 10_000, "bidi": "\u202egnp", "emoji": "🙂", "big": 2**70}
    await laptop.say(Kind.EVENT, an_event("e\x00\u202e🙂", data=data))
    await laptop.heard("/ack")

    (row,) = await door.store.read(lambda session: events.recent(session))
    if door.store.url.startswith("postgresql"):  # it has no such character: its picture stands for it
        data["nul"] = "a␀b"
        assert (row.id, row.data) == ("e␀\u202e🙂", data)
    else:
        assert (row.id, row.data) == ("e\x00\u202e🙂", data)


async def test_a_cleared_topic_is_no_complaint(door: Door, laptop: Peer) -> None:
    await laptop.say(Kind.PRESENCE, b"", retain=True)
    await laptop.say(Kind.PROFILE, b"", retain=True)
    await laptop.say(Kind.EVENT, an_event("mark"))
    await laptop.heard("/ack")

    assert door.complaints.counts == {}
    assert (await door.device()).status == "online"


async def test_a_place_prepared_after_the_device_spoke_hears_it_again(door: Door) -> None:
    async with device(door, place=False) as laptop:
        await laptop.say(Kind.PROFILE, a_profile(), retain=True)
        await laptop.say(Kind.PRESENCE, a_presence(), retain=True)
        await laptop.say(Kind.EVENT, an_event("mark"))
        await laptop.heard("/ack")
        await door.store.write(
            lambda session: devices.add(session, a_place(), actor=ADMIN, now=door.clock.now())
        )

        await door.link.look_again("laptop")

        await door.until_device("online")


async def test_a_restarted_device_is_sent_nothing_before_both_words_of_its_new_life(
    door: Door, laptop: Peer
) -> None:
    await laptop.say(Kind.PROFILE, a_profile(boot_id="boot-2"), retain=True)
    await door.until_device("arriving")
    row = await door.submit(a_request())
    assert (row.status, (row.error or {})["code"]) == (Status.EXPIRED, "device_offline")

    await arrive(door, laptop, boot_id="boot-2")
    row = await door.submit(a_request())
    assert (await laptop.heard("/command")).json["id"] == row.id
