"""Orders on the wire: waiting for their device, asking it first, many at once, and across a restart."""

import asyncio
from datetime import timedelta

from broker.identities import await_active
from controller.mqtt.outbox import Outbox
from controller.services import commands, devices, settling
from controller.services.conditions import Condition
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.store.notices import Notice
from controller.store.store import Session, Store
from controller.store.tables import ToolExecution
from schemas.topics import Kind, Topics
from tests.broker.running import RunningBroker
from tests.controller.mqtt.door import Clock, Door, arrive, device, lose_readiness, opened, until
from tests.controller.mqtt.peer import Peer, peer
from tests.factories import ADMIN, a_place, a_presence, a_profile, a_reply, a_request, an_event

MANY = 400  # more than may be without a PUBACK at once


async def leave(door: Door, laptop: Peer) -> None:
    """The device says goodbye."""
    await laptop.say(Kind.PRESENCE, a_presence("offline", reason="stopped"), retain=True)
    await door.until_device("offline")


async def test_an_order_waits_for_its_device_and_reaches_it_when_it_comes(door: Door, laptop: Peer) -> None:
    await leave(door, laptop)
    row = await door.submit(a_request(when_online=True, valid_s=600.0))
    assert row.status == Status.WAITING

    await arrive(door, laptop, boot_id="boot-2")

    command = (await laptop.heard("/command")).json
    assert (command["id"], command["attempt"]) == (row.id, 1)
    await laptop.say(Kind.REPLY, a_reply(row.id))
    await door.until_status(row.id, Status.SUCCEEDED)


async def test_the_device_is_asked_and_its_answer_lets_the_order_leave(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request(condition=Condition("path_info", {"path": "A"}, "exists")))
    asking = (await laptop.heard("/command")).json
    assert (asking["tool"], asking["arguments"]) == ("path_info", {"path": "/srv/files/A"})

    await laptop.say(Kind.REPLY, a_reply(asking["id"], result={"exists": True}))

    assert (await laptop.heard("/command")).json["id"] == row.id


async def test_a_device_that_says_no_gets_no_order(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request(condition=Condition("path_info", {"path": "A"}, "exists")))
    asking = (await laptop.heard("/command")).json

    await laptop.say(Kind.REPLY, a_reply(asking["id"], result={"exists": False}))

    ended = await door.until_status(row.id, Status.CANCELLED)
    assert ended.error_message == "Not run: path_info said exists = false."
    assert laptop.waiting("/command") == 0


async def test_hundreds_of_orders_of_one_device_all_reach_it_in_order_and_nothing_is_kept_of_them(
    door: Door, laptop: Peer
) -> None:
    await leave(door, laptop)

    def submit_all(session: Session) -> list[str]:
        request = a_request("path_info", arguments={"path": "A"}, when_online=True, valid_s=600.0)
        now = door.clock.now()
        return [commands.submit(session, request, actor=ADMIN, now=now).id for _ in range(MANY)]

    ids = await door.store.write(submit_all)
    await arrive(door, laptop, boot_id="boot-2")

    heard = [(await laptop.heard("/command")).json["id"] for _ in range(MANY)]
    assert heard == ids
    assert len(door.outbox.courier) == MANY
    for command_id in ids:
        await laptop.say(Kind.REPLY, a_reply(command_id))

    async with asyncio.timeout(60):
        while len(door.outbox.courier):
            await asyncio.sleep(0.01)
    assert len(door.outbox.courier._agenda) == 0
    assert not door.outbox.courier._by_device


async def test_what_never_left_ends_as_expired_also_while_there_is_no_broker(store: Store) -> None:
    clock = Clock()
    outbox = Outbox(store, Topics(), instance="main", now=clock.now)

    def hear(heard: list[Notice]) -> None:
        for notice in heard:
            outbox.hear(notice)

    def submit(session: Session) -> ToolExecution:
        devices.add(session, a_place(), actor=ADMIN, now=clock.now())
        devices.store_profile(session, "laptop", a_profile(), now=clock.now())
        devices.store_presence(session, "laptop", a_presence(), now=clock.now())
        return commands.submit(session, a_request(valid_s=20.0), actor=ADMIN, now=clock.now())

    store.listen(hear)
    row = await store.write(submit)
    clock.ahead += timedelta(seconds=21)
    tending = asyncio.create_task(outbox.tend(), name="tend")

    async def ended() -> bool:
        return await store.read(lambda session: commands.get(session, row.id).status) == Status.EXPIRED

    await until(ended)
    tending.cancel()
    await asyncio.wait((tending,))
    assert len(outbox.courier) == 0


async def test_a_controller_that_starts_calls_off_what_the_rules_forbid_by_then(
    broker: RunningBroker, store: Store
) -> None:
    async with opened(broker, store) as first, device(first) as laptop:
        await arrive(first, laptop)
        row = await first.submit(a_request(valid_s=600.0))
        await laptop.heard("/command")
        await first.until_status(row.id, Status.SENT)
    change = devices.PolicyChange(policy=PolicyProfile.OBSERVE)
    await store.write(
        lambda session: devices.change(session, "laptop", change, actor=ADMIN, now=first.clock.now())
    )

    filters = [broker.topics.device("laptop", kind) for kind in (Kind.COMMAND, Kind.CANCEL)]
    place = broker.endpoint("laptop", await asyncio.to_thread(broker.identities.rotate, "laptop"))
    await await_active(place)
    async with peer(place, broker.topics, filters) as laptop, opened(broker, store) as second:
        assert (await laptop.heard("/cancel")).json["command_id"] == row.id
        await arrive(second, laptop, boot_id="boot-2")
        await laptop.say(Kind.EVENT, an_event("mark"))
        second.pass_time(30)
        assert (await laptop.heard("/cancel")).json["command_id"] == row.id
        assert laptop.waiting("/command") == 0
        assert len(await second.audited(settling.CALLED_OFF)) == 1


async def test_an_attempt_is_written_down_before_it_is_published_again(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request(valid_s=600.0))
    assert (await laptop.heard("/command")).json["attempt"] == 1
    for attempt, wait in ((2, 6), (3, 11), (4, 21)):
        door.pass_time(wait)
        assert (await laptop.heard("/command")).json["attempt"] == attempt
        stored: ToolExecution = await door.command(row.id)
        assert stored.attempt == attempt


async def test_what_may_have_left_in_an_earlier_life_is_not_called_failed_because_it_cannot_be_said_again(
    broker: RunningBroker, store: Store
) -> None:
    async with opened(broker, store) as first, device(first) as laptop:
        await arrive(first, laptop)
        await lose_readiness(first)
        row = await first.submit(a_request(valid_s=600.0))

        def spoil(session: Session) -> None:
            commands.get(session, row.id).session_id = "x" * 65

        await store.write(spoil)

    place = broker.endpoint("laptop", await asyncio.to_thread(broker.identities.rotate, "laptop"))
    await await_active(place)
    filters = [broker.topics.device("laptop", Kind.COMMAND)]
    async with peer(place, broker.topics, filters) as laptop, opened(broker, store) as second:
        await arrive(second, laptop, boot_id="boot-2")
        good = await second.submit(a_request())
        assert (await laptop.heard("/command")).json["id"] == good.id
        await laptop.say(Kind.REPLY, a_reply(good.id))
        await second.until_status(good.id, Status.SUCCEEDED)

        assert (await second.command(row.id)).status == Status.QUEUED
