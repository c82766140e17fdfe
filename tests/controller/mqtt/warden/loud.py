"""A device that floods, and what becomes of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from broker.session import Endpoint, Session, SessionError, Subscription
from controller.mqtt.meter import PATIENCE, Allowance
from controller.services import devices, events
from controller.store.tables import EventRow
from schemas.topics import Kind, Topics
from schemas.wire import WireModel
from tests.controller.mqtt.door import Door, arrive, until
from tests.controller.mqtt.peer import WITHIN
from tests.factories import ADMIN, a_heartbeat, a_place

RATE = 20.0
BEATS = int(4 * PATIENCE * RATE)  # heartbeats that are far too many
SMALL = Allowance(RATE, 1_048_576.0)


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
