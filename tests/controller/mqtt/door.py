"""The controller's MQTT door on a real broker and a real store."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlmodel import Session, select

from controller.mqtt.complaints import Complaints
from controller.mqtt.inbox import Inbox
from controller.mqtt.link import Link
from controller.mqtt.meter import Allowance
from controller.mqtt.outbox import Outbox
from controller.mqtt.paces import Paces
from controller.mqtt.trust import Trust
from controller.mqtt.warden import Gate, Warden
from controller.services import audit, commands, devices
from controller.services.commands import CommandRequest
from controller.services.replies import Replies
from controller.store.keyring import KeyRing
from controller.store.notices import DeviceChanged, Notice
from controller.store.store import Store
from controller.store.tables import AuditEntry, Device, EventRow, ToolExecution
from schemas.topics import Kind, Topics
from schemas.wire import WireModel
from tests.broker.running import RunningBroker
from tests.controller.mqtt.peer import WITHIN, Peer, peer
from tests.factories import ADMIN, a_place, a_presence, a_profile

PAUSE = 300.0  # seconds that a device which sends too much is shut out


@dataclass
class Clock:
    """The hour, which a test moves."""

    ahead: timedelta = timedelta()
    monotonic: float = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Door:
    """Store, inbox, outbox and link as `app` puts them together."""

    broker: RunningBroker
    store: Store
    clock: Clock
    complaints: Complaints
    outbox: Outbox
    link: Link
    warden: Warden

    @property
    def topics(self) -> Topics:
        return self.broker.topics

    def pass_time(self, seconds: float) -> None:
        """Move the clock and let the outbox look at it."""
        self.clock.ahead += timedelta(seconds=seconds)
        self.outbox.hear(DeviceChanged("nobody", ready=True))

    async def submit(self, request: CommandRequest) -> ToolExecution:
        return await self.store.write(
            lambda session: commands.submit(session, request, actor=ADMIN, now=self.clock.now())
        )

    async def command(self, command_id: str) -> ToolExecution:
        return await self.store.read(lambda session: commands.get(session, command_id))

    async def device(self, device_id: str = "laptop") -> Device:
        return await self.store.read(lambda session: devices.get(session, device_id))

    async def audited(self, action: str) -> list[AuditEntry]:
        return await self.store.read(lambda session: audit.entries(session, action=action, limit=1000))

    async def until_status(self, command_id: str, status: str) -> ToolExecution:
        async def reached() -> bool:
            return (await self.command(command_id)).status == status

        await until(reached)
        return await self.command(command_id)

    async def until_device(self, status: str, device_id: str = "laptop") -> None:
        async def reached() -> bool:
            return (await self.device(device_id)).status == status

        await until(reached)


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that must happen."""
    async with asyncio.timeout(WITHIN):
        while not await happened():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(
    broker: RunningBroker,
    store: Store,
    *,
    clock: Clock | None = None,
    keyring: KeyRing | None = None,
    allow_unsigned: bool = True,
    gate: Gate | None = None,
    allowance: Allowance | None = None,
) -> AsyncIterator[Door]:
    """The door, connected; closed cleanly at the end. With a keyring it signs."""
    clock = clock or Clock()
    complaints = Complaints(lambda: clock.monotonic)
    outbox = Outbox(store, broker.topics, instance="main", keyring=keyring, now=clock.now)
    trust = Trust(store, allow_unsigned=allow_unsigned, now=clock.now)
    paces = Paces(lambda: clock.monotonic)
    inbox = Inbox(
        store,
        outbox,
        broker.topics,
        trust=trust,
        complaints=complaints,
        paces=paces,
        allowance=allowance,
        now=clock.now,
    )
    link = Link(broker.controller, instance="main", topics=broker.topics, inbox=inbox, outbox=outbox)
    warden = Warden(
        store,
        inbox.floods,
        gate,
        pause_s=PAUSE,
        gone=outbox.say_gone,
        back=link.look_again,
        now=clock.now,
    )
    replies = Replies()

    def hear(heard: list[Notice]) -> None:
        for notice in heard:
            trust.hear(notice)
            inbox.hear(notice)
            outbox.hear(notice)
            replies.hear(notice)

    store.listen(hear)
    await trust.load()
    await warden.load()
    await outbox.load()
    stop = asyncio.Event()
    running = asyncio.create_task(link.run(stop), name="link")
    guarding = asyncio.create_task(warden.run(), name="warden")
    try:
        async with asyncio.timeout(WITHIN):
            await link.online.wait()
        yield Door(broker, store, clock, complaints, outbox, link, warden)
    finally:
        stop.set()
        guarding.cancel()
        await asyncio.wait((guarding,))
        await running


@asynccontextmanager
async def device(door: Door, device_id: str = "laptop", *, place: bool = True) -> AsyncIterator[Peer]:
    """A device with an identity, and a place unless it shall have none; it has said nothing yet."""
    endpoint = await door.broker.add_device(device_id)
    if place:
        new = a_place(device_id)
        await door.store.write(lambda session: devices.add(session, new, actor=ADMIN, now=door.clock.now()))
    filters = [door.topics.device(device_id, kind) for kind in (Kind.COMMAND, Kind.CANCEL, Kind.ACK)]
    async with peer(endpoint, door.topics, filters) as found:
        yield found


class Speaker(Protocol):
    """Who can say things as a device."""

    @property
    def device_id(self) -> str:
        """Its name."""

    async def say(
        self, kind: Kind, message: WireModel | bytes, *, retain: bool = False, qos: int = 1
    ) -> None:
        """Publish on the device's topic of this kind."""


async def arrive(door: Door, found: Speaker, *, boot_id: str = "boot-1") -> None:
    """Say what a device says first, and wait until it is believed."""
    profile = a_profile(found.device_id, boot_id=boot_id, at=door.clock.now())
    await found.say(Kind.PROFILE, profile, retain=True)
    await found.say(Kind.PRESENCE, a_presence("online", boot_id), retain=True)

    async def believed() -> bool:
        row = await door.device(found.device_id)
        return (row.status, row.boot_id) == ("online", boot_id)

    await until(believed)


async def reconnect(door: Door) -> None:
    """Lose the broker, as a cable that was pulled, and find it again."""
    session = door.link._session
    assert session is not None
    await session.close(keep_will=True)

    async def back() -> bool:
        return door.link._session is not None and door.link._session is not session

    await until(back)


async def lose_readiness(door: Door) -> None:
    """The registry believes the device; the outbox has not heard it on this connection."""
    ready = door.outbox.courier._ready

    async def heard() -> bool:
        return bool(ready)

    await until(heard)  # it is told a moment after the registry: what it hears then must not come later
    ready.clear()


def stored(session: Session) -> list[str]:
    """The ids of the events that are on record."""
    return sorted(session.exec(select(EventRow.id)))
