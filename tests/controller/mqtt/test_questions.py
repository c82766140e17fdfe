"""What others see: questions to people, retained while they are open, and all that happens."""

import asyncio
import hashlib
import json

import rfc8785

from controller.services import approvals, commands
from controller.store.store import Store
from schemas.assistant import Approval
from schemas.topics import Kind
from tests.broker.running import RunningBroker
from tests.controller.mqtt.door import Door, arrive, device, opened, reconnect
from tests.controller.mqtt.peer import Peer, peer
from tests.factories import ADMIN, a_reply, a_request, an_event

DELETE = a_request("delete_path", arguments={"path": "Test"})


async def test_an_observer_sees_all_that_happens(door: Door) -> None:
    endpoint = await door.broker.add_debug_user()
    everything = [door.topics.everything()]
    async with peer(endpoint, door.topics, everything) as observer, device(door) as laptop:
        await arrive(door, laptop)
        row = await door.submit(a_request())
        await laptop.heard("/command")
        await laptop.say(Kind.REPLY, a_reply(row.id))
        await laptop.heard("/ack")
        await laptop.say(Kind.EVENT, an_event("e1"))
        await laptop.heard("/ack")

        lines = [(await observer.heard("/audit")).json]
        while lines[-1]["action"] != "command.succeeded":
            lines.append((await observer.heard("/audit")).json)
        for kind in ("profile", "presence", "command", "reply/main", "ack", "event"):
            assert (await observer.heard(f"/laptop/{kind}")).payload

    assert {"decision.allow", "command.succeeded"} <= {line["action"] for line in lines}
    assert "/srv/files" not in json.dumps(lines)


async def test_a_question_to_a_person_is_retained_until_it_is_decided(door: Door, laptop: Peer) -> None:
    row = await door.submit(DELETE)
    assert row.approval_id is not None
    topic = door.topics.approval(row.approval_id)
    endpoint = await door.broker.add_debug_user()
    async with peer(endpoint, door.topics, [topic]) as observer:
        heard = await observer.heard(topic)
        card = Approval.decode(heard.payload)
        assert heard.retain
        assert card.id == row.approval_id
        commands_ = [command.to_json() for command in card.commands]
        assert card.hash == hashlib.sha256(rfc8785.dumps(commands_)).hexdigest()

        await door.store.write(
            lambda session: approvals.decide(
                session, card.id, approve=True, actor=ADMIN, now=door.clock.now()
            )
        )

        assert (await observer.heard(topic)).payload == b""
        assert (await laptop.heard("/command")).json["approval_id"] == card.id


async def test_questions_are_told_again_at_start_and_stale_ones_cleared(
    broker: RunningBroker, store: Store
) -> None:
    async with opened(broker, store) as first, device(first) as laptop:
        await arrive(first, laptop)
        kept = await first.submit(DELETE)
        stale = await first.submit(DELETE)
    # decided while no broker was there to be told
    await store.write(
        lambda session: approvals.decide(
            session, stale.approval_id or "", approve=False, actor=ADMIN, now=first.clock.now()
        )
    )

    async with opened(broker, store) as second:
        endpoint = await broker.add_debug_user()
        cleared = broker.topics.approval(stale.approval_id or "")
        async with peer(endpoint, broker.topics, [broker.topics.approval("+")]) as observer:
            found: dict[str, bytes] = {}
            while kept.approval_id not in found or found.get(stale.approval_id or "", b"") != b"":
                heard = await observer.heard("")
                found[heard.topic.rpartition("/")[2]] = heard.payload
        async with asyncio.timeout(30):
            is_there = True  # the first observer may have come before the stale one reached it
            while is_there:
                topics = [cleared, broker.topics.everything()]
                async with peer(endpoint, broker.topics, topics) as newcomer:
                    retained = await newcomer.heard(kept.approval_id or "")
                    assert retained.payload
                    is_there = newcomer.waiting(stale.approval_id or "") > 0
        assert second.link.connected


async def test_more_questions_than_a_page_are_all_kept(door: Door, laptop: Peer) -> None:
    for _ in range(6):
        await door.store.write(
            lambda session: [
                commands.submit(session, DELETE, actor=ADMIN, now=door.clock.now()) for _ in range(20)
            ]
        )

    await reconnect(door)
    await door.submit(DELETE)

    endpoint = await door.broker.add_debug_user()
    async with peer(endpoint, door.topics, [door.topics.approval("+")]) as observer:
        for _ in range(121):
            assert (await observer.heard("")).payload


async def test_the_controllers_own_presence_tells_of_its_life(broker: RunningBroker, store: Store) -> None:
    endpoint = await broker.add_debug_user()
    topic = broker.topics.controller_presence("main")
    async with peer(endpoint, broker.topics, [topic]) as observer:
        async with opened(broker, store):
            assert (await observer.heard(topic)).json["state"] == "online"
        last = (await observer.heard(topic)).json
        assert (last["state"], last["reason"]) == ("offline", "stopped")


async def test_a_removed_device_leaves_nothing_on_the_broker(door: Door, laptop: Peer) -> None:
    door.link.forget("laptop")

    endpoint = await door.broker.add_debug_user()
    async with peer(endpoint, door.topics, [door.topics.everything()]) as observer:
        await laptop.say(Kind.EVENT, an_event("mark"))
        await observer.heard("/event")
        assert observer.waiting("laptop/profile") == observer.waiting("laptop/presence") == 0
