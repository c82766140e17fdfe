"""A device that floods is shut out, and the others are not."""

from datetime import timedelta

from controller.mqtt.meter import PATIENCE
from controller.store.store import Store
from schemas.topics import Kind
from tests.broker.gate import WatchedGate
from tests.broker.running import RunningBroker
from tests.controller.mqtt.door import PAUSE, Door, arrive, device, opened
from tests.controller.mqtt.peer import peer
from tests.controller.mqtt.warden.loud import RATE, SMALL, look, noisy, shut_out, told
from tests.factories import a_heartbeat, a_presence, a_reply, a_request, an_event


async def test_a_flood_ends_its_devices_session_and_the_others_are_answered(
    guarded: Door, gate: WatchedGate
) -> None:
    async with device(guarded, "laptop") as calm, noisy(guarded) as loud:
        await arrive(guarded, calm)
        await loud.flood()
        await loud.ended()

        row = await guarded.device("loud")
        assert (row.status, row.status_reason) == ("offline", "rate_limited")
        assert row.suspended_until is not None
        assert abs(row.suspended_until - guarded.clock.now() - timedelta(seconds=PAUSE)) < timedelta(
            seconds=10
        )
        asked = await guarded.submit(a_request())
        command = await calm.heard("/command")
        await calm.say(Kind.REPLY, a_reply(command.json["id"]))
        await guarded.until_status(asked.id, "succeeded")

    (event,) = await told(guarded)
    assert (event.device_id, event.severity, event.resolved) == ("loud", "error", False)
    assert event.data["messages"] > PATIENCE * RATE
    assert (event.data["allowed_per_s"], event.data["session_ended"]) == (RATE, True)
    (entry,) = await guarded.audited("device.suspended")
    assert (entry.device_id, entry.actor) == ("loud", "system")
    assert gate.asked == [("suspend", "loud")]


async def test_its_retained_presence_is_corrected(guarded: Door) -> None:
    onlooker = await guarded.broker.add_debug_user()
    topic = guarded.topics.device("loud", Kind.PRESENCE)
    async with noisy(guarded) as loud, peer(onlooker, guarded.topics, [topic]) as watching:
        assert (await watching.heard("/presence")).json["state"] == "online"
        await loud.flood()
        corrected = await watching.heard("/presence")

    assert (corrected.json["state"], corrected.json["reason"]) == ("offline", "rate_limited")
    assert corrected.json["boot_id"] == "boot-1"


async def test_a_command_for_it_is_refused_with_the_reason_and_an_order_that_may_wait_waits(
    guarded: Door,
) -> None:
    async with noisy(guarded) as loud:
        await loud.flood()
        await shut_out(guarded)

    refused = await guarded.submit(a_request(device_id="loud"))
    waiting = await guarded.submit(a_request(device_id="loud", when_online=True))

    assert (refused.status, (refused.error or {})["code"]) == ("expired", "rate_limited")
    assert "loud is shut out until" in (refused.error or {})["message"]
    assert waiting.status == "waiting"


async def test_where_the_broker_cannot_be_told_the_device_is_not_heard(
    broker: RunningBroker, store: Store
) -> None:
    async with opened(broker, store, allowance=SMALL) as door, noisy(door) as loud:
        await loud.flood()
        await shut_out(door)
        await loud.say(Kind.EVENT, an_event("later"))
        await loud.say(Kind.PRESENCE, a_presence("online", "boot-1"), retain=True)

        (event,) = await told(door)
        assert event.data["session_ended"] is False
        assert (await door.device("loud")).status == "offline"

        door.clock.ahead += timedelta(seconds=PAUSE + 1)
        look(door)
        await door.until_device("online", "loud")
        await loud.say(Kind.EVENT, an_event("later"))
        assert (await loud.heard("/ack"))["events"] == ["later"]


async def test_the_end_of_a_command_that_was_sent_is_heard_also_of_a_device_that_is_shut_out(
    broker: RunningBroker, store: Store
) -> None:
    async with opened(broker, store, allowance=SMALL) as door, noisy(door) as loud:
        asked = await door.submit(a_request(device_id="loud"))
        await loud.heard("/command")
        await loud.flood()
        await shut_out(door)

        await loud.say(Kind.REPLY, a_reply("another-one"))
        await loud.say(Kind.REPLY, a_reply(asked.id))

        await door.until_status(asked.id, "succeeded")
        assert (await loud.heard("/ack"))["replies"] == [asked.id]
        assert await door.audited("reply.refused") == []


async def test_a_device_that_comes_back_with_a_full_spool_is_not_shut_out(guarded: Door) -> None:
    acked, spool, window = 0, 10_000, 100
    async with noisy(guarded, "away") as away:
        for start in range(0, spool, window):
            for number in range(start, start + window):
                away.publish(Kind.EVENT, an_event(f"e{number}"))
            if start % 1_000 == 0:
                await away.say(Kind.HEARTBEAT, a_heartbeat(start), qos=0)
            while acked < start + window:
                acked += len((await away.heard("/ack"))["events"])

    row = await guarded.device("away")
    assert (acked, row.suspended_until) == (spool, None)
    floods = guarded.link._inbox.floods
    assert (floods.dropped, floods.put_off) == ({}, {})
