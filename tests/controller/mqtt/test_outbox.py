"""Out: committed commands until they are answered or expired, and nothing to who is not there."""

import asyncio

import pytest
from sqlmodel import Session

from broker.identities import await_active
from controller.mqtt import letters
from controller.services import commands, devices, settling
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.store.store import Store
from schemas.commands import Command, ReplyStatus
from schemas.topics import Kind
from schemas.wire import MAX_PAYLOAD
from tests.broker.running import RunningBroker
from tests.controller.mqtt.door import Door, arrive, device, lose_readiness, opened, reconnect, until
from tests.controller.mqtt.peer import Peer, peer
from tests.controller.store.read_only import set_read_only
from tests.factories import ADMIN, NOON, a_presence, a_profile, a_reply, a_request, a_tool, an_event, later


async def test_a_command_carries_all_that_the_contract_asks_for(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request(valid_s=90.0))

    heard = await laptop.heard("/command")
    command = Command.decode(heard.payload)
    reply_to = door.topics.reply("laptop", "main")
    assert (command.id, command.tool, command.attempt) == (row.id, "create_directory", 1)
    assert command.arguments == {"path": "/srv/files/Test"}
    assert command.reply_to == reply_to
    assert (command.requested_by.user, command.requested_by.via) == ("ada", "api")
    assert (heard.qos, heard.retain) == (1, False)
    properties = heard.properties
    assert properties["ResponseTopic"] == reply_to
    assert properties["CorrelationData"] == row.id.encode()
    assert properties["ContentType"] == "application/json"
    assert 80 < properties["MessageExpiryInterval"] <= 90
    ((name, parent),) = properties["UserProperty"]
    assert name == "traceparent"
    assert parent == f"00-{row.trace_id}-{row.id.replace('-', '')[-16:]}-01"
    sent = await door.until_status(row.id, Status.SENT)
    assert sent.attempt == 1


async def test_an_unanswered_command_is_published_again_with_growing_waits(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request(valid_s=600.0))
    attempts = [(await laptop.heard("/command")).json["attempt"]]

    for wait in (4.0, 1.5, 9.0, 1.5, 19.0, 1.5):
        door.pass_time(wait)
        await laptop.say(Kind.EVENT, an_event(f"after-{wait}"))
        await laptop.heard("/ack")
        if wait == 1.5:
            again = (await laptop.heard("/command")).json
            assert again["id"] == row.id
            attempts.append(again["attempt"])
        assert laptop.waiting("/command") == 0

    assert attempts == [1, 2, 3, 4]


async def test_an_answered_command_is_not_published_again(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request(valid_s=600.0))
    await laptop.heard("/command")
    await laptop.say(Kind.REPLY, a_reply(row.id))
    await door.until_status(row.id, Status.SUCCEEDED)

    door.pass_time(30)
    await reconnect(door)
    await laptop.say(Kind.EVENT, an_event("mark"))
    await laptop.heard("/ack")

    assert laptop.waiting("/command") == 0


async def test_an_accepted_command_is_asked_about_only_when_its_device_comes_back(
    door: Door, laptop: Peer
) -> None:
    row = await door.submit(a_request(valid_s=600.0))
    await laptop.heard("/command")
    await laptop.say(Kind.REPLY, a_reply(row.id, ReplyStatus.ACCEPTED))
    await door.until_status(row.id, Status.ACCEPTED)
    door.pass_time(60)
    await laptop.say(Kind.EVENT, an_event("mark"))
    await laptop.heard("/ack")
    assert laptop.waiting("/command") == 0

    await arrive(door, laptop, boot_id="boot-2")

    assert (await laptop.heard("/command")).json["attempt"] == 2


async def test_a_command_goes_out_again_after_the_connection_was_lost(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request(valid_s=600.0))
    await laptop.heard("/command")

    await reconnect(door)

    again = (await laptop.heard("/command")).json
    assert (again["id"], again["attempt"]) == (row.id, 2)


async def test_a_later_controller_takes_up_what_an_earlier_one_left(
    broker: RunningBroker, store: Store
) -> None:
    async with opened(broker, store) as first, device(first) as laptop:
        await arrive(first, laptop)
        row = await first.submit(a_request(valid_s=600.0))
        await laptop.heard("/command")
        await first.until_status(row.id, Status.SENT)
    await store.write(devices.nobody_is_known_online)

    filters = [broker.topics.device("laptop", Kind.COMMAND)]
    async with opened(broker, store) as second:
        place = broker.endpoint("laptop", await asyncio.to_thread(broker.identities.rotate, "laptop"))
        await await_active(place)
        async with peer(place, broker.topics, filters) as laptop:
            await arrive(second, laptop)
            again = (await laptop.heard("/command")).json
            assert again["id"] == row.id
            assert again["attempt"] > 1
            await laptop.say(Kind.REPLY, a_reply(row.id))
            await second.until_status(row.id, Status.SUCCEEDED)


async def test_nothing_is_sent_before_profile_and_presence_are_of_one_life(door: Door, laptop: Peer) -> None:
    await reconnect(door)
    await door.until_device("online")
    await laptop.say(Kind.PRESENCE, a_presence("online", "boot-2"), retain=True)
    await door.until_device("arriving")
    refused = await door.submit(a_request())
    await laptop.say(Kind.EVENT, an_event("mark"))
    await laptop.heard("/ack")
    assert (refused.status, laptop.waiting("/command")) == (Status.EXPIRED, 0)

    await laptop.say(Kind.PROFILE, a_profile(boot_id="boot-2"), retain=True)
    await door.until_device("online")
    row = await door.submit(a_request())

    assert (await laptop.heard("/command")).json["id"] == row.id


async def test_what_waits_for_its_device_too_long_expires_and_was_never_sent(
    door: Door, laptop: Peer
) -> None:
    await lose_readiness(door)
    row = await door.submit(a_request(valid_s=20.0))

    door.pass_time(21)

    ended = await door.until_status(row.id, Status.EXPIRED)
    assert ended.published_at is None
    await laptop.say(Kind.EVENT, an_event("mark"))
    await laptop.heard("/ack")
    assert laptop.waiting("/command") == 0


async def test_a_store_that_is_away_does_not_end_the_outbox(door: Door, laptop: Peer) -> None:
    await lose_readiness(door)
    row = await door.submit(a_request(valid_s=20.0))
    await asyncio.to_thread(set_read_only, door.store, "ON")
    door.pass_time(21)

    async def postponed() -> bool:
        return door.outbox.courier._open[row.id].next_at > door.clock.now() - letters.CANCEL_VALID

    await until(postponed)
    await asyncio.to_thread(set_read_only, door.store, "OFF")
    door.pass_time(2)

    await door.until_status(row.id, Status.EXPIRED)
    assert door.link.connected


@pytest.mark.parametrize("size", [MAX_PAYLOAD - 100, MAX_PAYLOAD + 60_000])
async def test_a_command_that_is_too_large_to_travel_fails_at_once(door: Door, size: int) -> None:
    async with device(door, "pump") as pump:
        await pump.say(Kind.PROFILE, a_profile("pump", tools=[a_tool(risk="low")]), retain=True)
        await pump.say(Kind.PRESENCE, a_presence(), retain=True)
        await door.until_device("online", "pump")

        row = await door.submit(a_request("pump_start", device_id="pump", arguments={"text": "x" * size}))

        failed = await door.until_status(row.id, Status.FAILED)
        assert (failed.error or {})["code"] == "payload_too_large"
        small = await door.submit(a_request("pump_start", device_id="pump"))
        assert (await pump.heard("/command")).json["id"] == small.id


async def test_a_row_that_cannot_be_written_as_a_message_fails_alone(door: Door, laptop: Peer) -> None:
    await lose_readiness(door)
    row = await door.submit(a_request(valid_s=600.0))

    def spoil(session: Session) -> None:
        commands.get(session, row.id).requested_by = "no user has / in a name"

    await door.store.write(spoil)
    await laptop.say(Kind.PRESENCE, a_presence(), retain=True)

    await door.until_status(row.id, Status.FAILED)
    good = await door.submit(a_request())
    assert (await laptop.heard("/command")).json["id"] == good.id


async def test_a_command_denied_by_a_new_profile_never_leaves(door: Door, laptop: Peer) -> None:
    await lose_readiness(door)
    row = await door.submit(a_request(valid_s=600.0))

    await laptop.say(Kind.PROFILE, a_profile(tools=[]), retain=True)

    denied = await door.until_status(row.id, Status.DENIED)
    assert (denied.error or {})["code"] == "unknown_tool"
    assert laptop.waiting("/command") == 0


async def test_a_late_reply_to_an_interrupted_command_is_acknowledged_and_noted(
    door: Door, laptop: Peer
) -> None:
    row = await door.submit(a_request(valid_s=10.0, timeout_s=10.0))
    await laptop.heard("/command")
    await door.until_status(row.id, Status.SENT)
    door.clock.ahead += letters.CANCEL_VALID
    await door.store.write(lambda session: settling.expire(session, now=door.clock.now()))

    await laptop.say(Kind.REPLY, a_reply(row.id))

    assert (await laptop.heard("/ack")).json["replies"] == [row.id]
    assert (await door.command(row.id)).status == Status.INTERRUPTED
    assert len(await door.audited("reply.contradicts")) == 1


async def forbid(door: Door) -> None:
    """The owner makes the rules stricter than what was sent."""
    change = devices.PolicyChange(policy=PolicyProfile.OBSERVE)

    def narrow(session: Session) -> None:
        devices.change(session, "laptop", change, actor=ADMIN, now=door.clock.now())
        commands.withdraw(session, "laptop", now=door.clock.now())

    await door.store.write(narrow)


async def test_what_may_have_left_is_called_off_when_the_rules_forbid_it_and_the_device_says_how_it_ended(
    door: Door, laptop: Peer
) -> None:
    row = await door.submit(a_request(valid_s=600.0))
    await laptop.heard("/command")
    await door.until_status(row.id, Status.SENT)

    await forbid(door)

    assert (await laptop.heard("/cancel")).json["command_id"] == row.id
    assert len(await door.audited(settling.CALLED_OFF)) == 1
    door.pass_time(6)
    assert (await laptop.heard("/cancel")).json["command_id"] == row.id
    assert laptop.waiting("/command") == 0
    await laptop.say(Kind.REPLY, a_reply(row.id))
    await door.until_status(row.id, Status.SUCCEEDED)


async def test_what_its_device_took_on_is_left_to_it_whatever_the_rules_say_by_now(
    door: Door, laptop: Peer
) -> None:
    row = await door.submit(a_request(valid_s=600.0))
    await laptop.heard("/command")
    await laptop.say(Kind.REPLY, a_reply(row.id, ReplyStatus.ACCEPTED))
    await door.until_status(row.id, Status.ACCEPTED)

    await forbid(door)
    await laptop.say(Kind.EVENT, an_event("mark"))
    await laptop.heard("/ack")

    assert laptop.waiting("/cancel") == 0
    await laptop.say(Kind.REPLY, a_reply(row.id))
    await door.until_status(row.id, Status.SUCCEEDED)


@pytest.mark.parametrize("left", [0.2, 60.4])
def test_a_command_never_expires_at_the_broker_before_its_hour(left: float) -> None:
    assert letters._seconds_left(later(left), NOON) >= left
