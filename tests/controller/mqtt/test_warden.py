"""A device that floods is shut out, the others are not, and it is let in again: on a real broker."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from broker.identities import Local
from broker.session import Endpoint, Session, SessionError, Subscription
from controller.errors import NotShutOut
from controller.mqtt.meter import PATIENCE, Allowance
from controller.services import devices, events
from controller.store.store import Store
from controller.store.tables import AuditEntry, EventRow
from schemas.topics import Kind, Topics
from schemas.wire import WireModel
from tests.broker.gate import WatchedGate
from tests.broker.running import RunningBroker
from tests.controller.mqtt.door import PAUSE, Door, arrive, device, opened, until
from tests.controller.mqtt.peer import WITHIN, peer
from tests.factories import ADMIN, a_heartbeat, a_place, a_presence, a_reply, a_request, an_event

RATE = 20.0
BEATS = int(4 * PATIENCE * RATE)  # heartbeats that are far too many
SMALL = Allowance(RATE, 1_048_576.0)


@pytest.fixture
def gate(broker: RunningBroker) -> WatchedGate:
    return WatchedGate(Local(broker.identities, broker.controller))


@pytest.fixture
async def guarded(broker: RunningBroker, store: Store, gate: WatchedGate) -> AsyncIterator[Door]:
    """A door where a device may send little, and somebody shuts out who sends more."""
    async with opened(broker, store, gate=gate, allowance=SMALL) as running:
        yield running


@dataclass
class Loud:
    """A device on the session that our own programs use: quick, and it knows at once when it is ended."""

    session: Session
    topics: Topics
    endpoint: Endpoint

    @property
    def device_id(self) -> str:
        return self.endpoint.username or ""

    async def say(
        self, kind: Kind, message: WireModel | bytes, *, retain: bool = False, qos: int = 1
    ) -> None:
        await self.publish(kind, message, retain=retain, qos=qos)

    def publish(self, kind: Kind, message: WireModel | bytes, **how: Any) -> asyncio.Future[int]:
        payload = message if isinstance(message, bytes) else message.encode()
        topic = self.topics.device(self.device_id, kind)
        if kind is Kind.REPLY:
            topic = self.topics.reply(self.device_id, "main")
        return self.session.publish(topic, payload, **how)

    async def flood(self) -> None:
        """Far too many heartbeats."""
        for number in range(BEATS):
            try:
                await self.say(Kind.HEARTBEAT, a_heartbeat(number), qos=0)
            except SessionError:
                return

    async def ended(self) -> None:
        """Wait until the broker has ended this session."""
        async with asyncio.timeout(WITHIN):
            await self.session.lost()

    async def heard(self, ending: str) -> dict[str, Any]:
        """The next message on a topic that ends so; others are passed over."""
        async with asyncio.timeout(WITHIN):
            while True:
                for message in await self.session.receive(1):
                    self.session.ack(message)
                    if message.topic.endswith(ending):
                        found: dict[str, Any] = json.loads(message.payload)
                        return found


@asynccontextmanager
async def connected(door: Door, endpoint: Endpoint) -> AsyncIterator[Loud]:
    """The device of this name, with the password that it always had."""
    session = Session(endpoint, client_id=endpoint.username or "", clean_start=False)
    await session.connect()
    try:
        found = Loud(session, door.topics, endpoint)
        kinds = (Kind.COMMAND, Kind.CANCEL, Kind.ACK)
        await session.subscribe([Subscription(door.topics.device(found.device_id, kind)) for kind in kinds])
        yield found
    finally:
        await session.close()


@asynccontextmanager
async def noisy(door: Door, device_id: str = "loud") -> AsyncIterator[Loud]:
    """A device that has arrived, and whose session may end by another's hand."""
    endpoint = await door.broker.add_device(device_id)
    new = a_place(device_id)
    await door.store.write(lambda session: devices.add(session, new, actor=ADMIN, now=door.clock.now()))
    async with connected(door, endpoint) as found:
        await arrive(door, found)
        yield found


async def told(door: Door) -> list[EventRow]:
    found: list[EventRow] = await door.store.read(
        lambda session: events.recent(session, event_type="rate_limited")
    )
    return found


async def shut_out(door: Door) -> None:
    async def stored() -> bool:
        return (await door.device("loud")).suspended_until is not None and not door.warden._untold

    await until(stored)


async def let_in(door: Door) -> None:
    async def over() -> bool:
        return (await door.device("loud")).suspended_until is None

    await until(over)


def look(door: Door) -> None:
    """Have the warden look at the clock now, not in some seconds."""
    door.warden._wake.set()


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


async def test_when_its_time_is_over_it_is_let_in_and_what_was_told_of_it_is_over(
    guarded: Door, gate: WatchedGate
) -> None:
    async with noisy(guarded) as loud:
        await loud.flood()
        await shut_out(guarded)
    waiting = await guarded.submit(a_request(device_id="loud", when_online=True, valid_s=3600.0))

    guarded.clock.ahead += timedelta(seconds=PAUSE + 1)
    look(guarded)
    await let_in(guarded)

    (event,) = await told(guarded)
    assert event.resolved
    assert [entry.actor for entry in await guarded.audited("device.resumed")] == ["system"]
    async with connected(guarded, loud.endpoint) as back:
        await arrive(guarded, back, boot_id="boot-2")
        assert (await back.heard("/command"))["id"] == waiting.id


async def test_an_admin_lets_it_in_before_its_time(guarded: Door) -> None:
    async with noisy(guarded) as loud:
        await loud.flood()
        await shut_out(guarded)

    await guarded.warden.let_in("loud", ADMIN)

    assert (await guarded.device("loud")).suspended_until is None
    entries: list[AuditEntry] = await guarded.audited("device.resumed")
    assert [entry.actor for entry in entries] == ["ada"]
    with pytest.raises(NotShutOut):
        await guarded.warden.let_in("loud", ADMIN)


async def test_a_controller_that_was_restarted_keeps_it_out_and_lets_it_in_on_time(
    broker: RunningBroker, store: Store, gate: WatchedGate
) -> None:
    async with opened(broker, store, gate=gate, allowance=SMALL) as first, noisy(first) as loud:
        await loud.flood()
        await shut_out(first)

    async with opened(broker, store, gate=gate, allowance=SMALL) as second:
        assert "loud" in second.warden
        assert not second.link._inbox.floods.hears("loud", Kind.EVENT, 10)
        second.clock.ahead += timedelta(seconds=PAUSE + 1)
        look(second)
        await let_in(second)
        assert second.link._inbox.floods.hears("loud", Kind.EVENT, 10)
        async with connected(second, loud.endpoint) as back:
            await arrive(second, back, boot_id="boot-2")


async def test_a_controller_that_died_before_the_broker_was_told_is_followed_by_one_that_tells_it(
    broker: RunningBroker, store: Store, gate: WatchedGate
) -> None:
    gate.broken = True
    async with opened(broker, store, gate=gate, allowance=SMALL) as first, noisy(first) as loud:
        await loud.flood()

        async def tried() -> bool:
            return ("suspend", "loud") in gate.asked

        await until(tried)
        gate.broken = False
        first.warden._untold.clear()  # it dies here
        async with opened(broker, store, gate=gate, allowance=SMALL):
            await loud.ended()


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


async def test_a_removed_device_leaves_no_ban_behind(guarded: Door) -> None:
    async with noisy(guarded) as loud:
        await loud.flood()
        await shut_out(guarded)

    await guarded.store.write(
        lambda session: devices.remove(session, "loud", actor=ADMIN, now=guarded.clock.now())
    )
    look(guarded)

    async def forgotten() -> bool:
        return "loud" not in guarded.warden

    await until(forgotten)
    assert guarded.link._inbox.floods.hears("loud", Kind.EVENT, 10)
