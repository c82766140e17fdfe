"""A cancel reaches its device, or keeps the command from leaving; neither a cable nor a kill loses it."""

import asyncio

from broker.identities import await_active
from controller.services import commands
from controller.services.orders import Status
from controller.store.store import Store
from schemas.commands import ReplyStatus
from schemas.topics import Kind
from tests.broker.running import RunningBroker
from tests.controller.mqtt.door import Door, arrive, device, lose_readiness, opened
from tests.controller.mqtt.peer import Peer, peer
from tests.factories import ADMIN, a_reply, a_request, an_event


async def test_a_cancel_reaches_the_device(door: Door, laptop: Peer) -> None:
    row = await door.submit(a_request())
    await laptop.heard("/command")

    await door.store.write(
        lambda session: commands.cancel(session, row.id, actor=ADMIN, now=door.clock.now())
    )

    cancel = await laptop.heard("/cancel")
    assert cancel.json["command_id"] == row.id
    assert 290 < cancel.properties["MessageExpiryInterval"] <= 300
    await laptop.say(Kind.REPLY, a_reply(row.id, ReplyStatus.CANCELLED))
    await door.until_status(row.id, Status.CANCELLED)


async def test_a_cancel_is_said_again_after_the_connection_was_lost_and_the_command_is_not(
    door: Door, laptop: Peer
) -> None:
    row = await door.submit(a_request(valid_s=600.0))
    await laptop.heard("/command")
    session = door.link._session
    assert session is not None
    await session.close(keep_will=True)

    await door.store.write(
        lambda session: commands.cancel(session, row.id, actor=ADMIN, now=door.clock.now())
    )

    assert (await laptop.heard("/cancel")).json["command_id"] == row.id
    door.pass_time(6)
    assert (await laptop.heard("/cancel")).json["command_id"] == row.id
    assert laptop.waiting("/command") == 0


async def test_a_cancelled_command_that_has_not_left_never_leaves(door: Door, laptop: Peer) -> None:
    await lose_readiness(door)
    row = await door.submit(a_request(valid_s=600.0))

    await door.store.write(
        lambda session: commands.cancel(session, row.id, actor=ADMIN, now=door.clock.now())
    )

    await door.until_status(row.id, Status.CANCELLED)
    await arrive(door, laptop)
    await laptop.say(Kind.EVENT, an_event("mark"))
    await laptop.heard("/ack")
    assert laptop.waiting("/command") + laptop.waiting("/cancel") == 0


async def test_a_cancel_is_remembered_by_a_later_controller(broker: RunningBroker, store: Store) -> None:
    async with opened(broker, store) as first, device(first) as laptop:
        await arrive(first, laptop)
        row = await first.submit(a_request(valid_s=600.0))
        await laptop.heard("/command")
        await first.until_status(row.id, Status.SENT)
    # as if the controller died before it could tell the device
    await store.write(lambda session: commands.cancel(session, row.id, actor=ADMIN, now=first.clock.now()))

    filters = [broker.topics.device("laptop", kind) for kind in (Kind.COMMAND, Kind.CANCEL)]
    place = broker.endpoint("laptop", await asyncio.to_thread(broker.identities.rotate, "laptop"))
    await await_active(place)
    async with peer(place, broker.topics, filters) as laptop, opened(broker, store) as second:
        assert (await laptop.heard("/cancel")).json["command_id"] == row.id
        await arrive(second, laptop, boot_id="boot-2")
        second.pass_time(30)
        assert (await laptop.heard("/cancel")).json["command_id"] == row.id
        assert laptop.waiting("/command") == 0
