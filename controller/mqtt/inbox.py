"""In: a batch of messages, one transaction, and only then PUBACK and Ack.

A message that cannot be used is dropped with its PUBACK; one that could not be
stored is kept and tried again, and meanwhile the broker waits.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

from broker.session import Received, Session
from broker.session.steady import steady
from controller.instruments import Instruments
from controller.mqtt import filing
from controller.mqtt.complaints import Complaints
from controller.mqtt.filing import Filing
from controller.mqtt.floods import STALL, Floods
from controller.mqtt.meter import Allowance
from controller.mqtt.outbox import Outbox
from controller.mqtt.paces import Pace, Paces
from controller.mqtt.routes import ROUTES, Arrived, Route, heartbeats
from controller.mqtt.trust import Trust
from controller.services import devices
from controller.store.notices import CommandQueued, Notice
from controller.store.store import Store, StoreBusy, StoreFailed
from schemas.commands import Reply
from schemas.devices import Heartbeat
from schemas.topics import Address, Kind, Topics, with_article
from schemas.wire import MalformedMessage

logger = logging.getLogger(__name__)

BATCH = 256  # messages in one transaction
MANY = 1_000  # messages that wait; with so many, one device may have too many of them
FLUSH_EVERY = timedelta(seconds=5)  # heartbeats reach the store in batches
MAX_HEARTBEATS = BATCH  # devices whose latest waits for that; when there are more, sooner
PEOPLE = frozenset({Kind.REQUEST, Kind.DECISION})

Message = tuple[Route[Any], Arrived[Any]]
STORED = frozenset({Kind.PRESENCE, Kind.PROFILE, Kind.HEARTBEAT})
OF_DEVICES = STORED | {Kind.EVENT, Kind.REPLY}


def utc_now() -> datetime:
    """The hour."""
    return datetime.now(UTC)


def _nobody_joins(_invite_id: str, _message: Received) -> None:
    return None


def _nothing() -> None:
    return None


def size(received: Received) -> int:
    """The bytes that a message brought."""
    return len(received.payload) + received.beside


class Inbox:
    """Takes what arrives on the session of the moment."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        topics: Topics,
        *,
        trust: Trust | None = None,
        join: Callable[[str, Received], None] = _nobody_joins,
        complaints: Complaints | None = None,
        paces: Paces | None = None,
        allowance: Allowance | None = None,
        max_skew_s: float = devices.MAX_SKEW,
        instruments: Instruments | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._outbox = outbox
        self._instruments = instruments or Instruments()
        self._trust = trust or Trust(store, allow_unsigned=True, now=now)
        self._topics = topics
        self._join = join
        self.complaints = complaints or Complaints()
        self._store = store
        self._filing = Filing(store, self.complaints)
        self.floods = Floods(self.complaints, allowance=allowance)
        self._paces = paces or Paces()
        self._places = f"{topics.prefix}/devices/"
        self._now = now
        self._mark: bytes | None = None
        self.behind = False  # more has arrived than one batch takes: what is heard may be old
        self._heartbeats: dict[str, Arrived[Heartbeat]] = {}
        self._keep_heartbeats = Route(Heartbeat, partial(heartbeats, max_skew_s=max_skew_s), together=True)
        self._flushed_at = now()

    def hear(self, notice: Notice) -> None:
        """Act on what a committed transaction announced."""
        if isinstance(notice, CommandQueued):
            self.floods.expect(notice.command.device_id)

    def mark(self, message: bytes) -> None:
        """This presence of ours is said now, and comes back to us after all that the broker keeps for us."""
        self._mark = message

    async def serve(self, session: Session, stalled: Callable[[], object] = _nothing) -> None:
        """Handle messages until the session is gone, then raise its loss.

        `stalled` is called when they had to wait for long; it is to `mark` anew, as it did after the connect.
        """
        self._mark = None
        self.floods.catch_up()
        while True:
            batch = await self._receive(session)
            self.behind = len(batch) == BATCH
            if session.waiting >= MANY:
                self.floods.look_ahead(self._owners(session.waiting_by_topic()))
            begun = monotonic()
            await self._handle(batch)
            if batch:
                self._instruments.stored(steady() - batch[0].arrived_at)
            if monotonic() - begun > STALL:
                self.floods.catch_up()
                stalled()
            for message in batch:
                session.ack(message)

    async def forget_lives(self) -> None:
        """Believe nobody online: the broker kept nothing for us, and so nothing of anybody."""
        try:
            await self._store.write(partial(devices.nobody_is_known_online, reason=devices.BROKER_RESTARTED))
        except (StoreBusy, StoreFailed) as error:
            logger.warning("Devices may be shown online that are not: %s", error)

    async def _receive(self, session: Session) -> list[Received]:
        """What has arrived; nothing when heartbeats wait and it stays quiet."""
        if not self._heartbeats:
            return await session.receive(BATCH)
        try:
            async with asyncio.timeout(FLUSH_EVERY.total_seconds()):
                return await session.receive(BATCH)
        except TimeoutError:
            return []

    async def _handle(self, batch: Sequence[Received]) -> None:
        now = self._now()
        messages = [message for received in batch if (message := self._message(received, now)) is not None]
        self.floods.taken(full=len(batch) == BATCH)
        units = filing.units([*messages, *self._due_heartbeats(now)])
        cards = [card for message in batch if (card := self._card(message))]
        if cards:
            await self._outbox.tidy_cards(cards)
        if units:
            await self._outbox.acknowledge(await self._filing.file(units))

    def _card(self, message: Received) -> str | None:
        address = self._topics.parse(message.topic)
        return address.owner if address and address.kind is Kind.APPROVAL and message.payload else None

    def _message(self, received: Received, now: datetime) -> Message | None:
        address = self._topics.parse(received.topic)
        self._instruments.heard(None if address is None else address.kind)
        if address is None:
            self._note_stray(received)
            return None
        if address.kind is Kind.JOIN_REQUEST:
            self._join(address.owner, received)
            return None
        if address.kind is Kind.CONTROLLER_PRESENCE:
            if received.payload == self._mark:
                self.floods.caught_up()
            return None
        route = ROUTES.get(address.kind)
        if route is None:
            return None
        # what the broker had in its store is no doing of this moment
        sent_now = address.kind in OF_DEVICES and not (received.retain and address.kind in STORED)
        if sent_now and not self.floods.hears(address.owner, address.kind, size(received)):
            return self._needed(route, address, received, now)
        if not self._admits(address, route, received):
            return None
        try:
            arrived = Arrived(address.owner, route.read(received.payload), now, received.retain)
        except MalformedMessage as error:
            self.complaints.add(address.owner, str(error))
            return None
        return self._put(route, arrived, address.kind)

    def _put(self, route: Route[Any], arrived: Arrived[Any], kind: Kind) -> Message | None:
        """A message to be filed now; None: it waits, or its sender has said far too much."""
        if kind is Kind.HEARTBEAT:
            self._heartbeats[arrived.device_id] = arrived
            return None
        if kind not in PEOPLE:
            return route, arrived
        pace = self._paces.judge(arrived.device_id, kind.value)
        if pace is Pace.DROPPED:
            self.complaints.add(arrived.device_id, f"far too many of the kind {kind.value}")
            return None
        return route, replace(arrived, too_fast=pace is Pace.REFUSED)

    def _admits(self, address: Address, route: Route[Any], received: Received) -> bool:
        """Whether a message is to be read at all."""
        if received.retain and not route.retained:
            if address.kind is not Kind.HEARTBEAT:  # a stored heartbeat is normal, it just proves nothing
                self.complaints.add(address.owner, f"a retained {address.kind.value}")
            return False
        if not received.payload:
            return False  # a retained topic was cleared
        if (fault := self._trust.fault(address, received)) is not None:
            self.complaints.add(address.owner, f"{with_article(address.kind.value)}: {fault}")
        return fault is None

    def _needed(
        self, route: Route[Any], address: Address, received: Received, now: datetime
    ) -> Message | None:
        """Of a device that is not heard, the end of a command that still waits for one; nothing else."""
        if address.kind is not Kind.REPLY or not self._admits(address, route, received):
            return None
        try:
            said: Reply = route.read(received.payload)
        except MalformedMessage:
            return None
        if not said.status.is_final or not self._outbox.courier.awaits(address.owner, said.command_id):
            return None
        return route, Arrived(address.owner, said, now)

    def _note_stray(self, received: Received) -> None:
        """Count what a device publishes on a topic that is nobody's: it takes our time all the same."""
        if device_id := self._owner(received.topic):
            self.floods.hears(device_id, Kind.REPLY, size(received))

    def _owners(self, topics: Counter[str]) -> Counter[str]:
        """Messages by topic as messages by device."""
        found: Counter[str] = Counter()
        for topic, count in topics.items():
            if device_id := self._owner(topic):
                found[device_id] += count
        return found

    def _owner(self, topic: str) -> str:
        """The device on whose topics this one is, or nothing."""
        return topic[len(self._places) :].partition("/")[0] if topic.startswith(self._places) else ""

    def _due_heartbeats(self, now: datetime) -> list[Message]:
        """The latest of each device, now and then; whoever it is, no more of them wait than that."""
        if not self._heartbeats:
            return []
        if now - self._flushed_at < FLUSH_EVERY and len(self._heartbeats) < MAX_HEARTBEATS:
            return []
        latest, self._heartbeats, self._flushed_at = self._heartbeats, {}, now
        return [(self._keep_heartbeats, each) for each in latest.values()]
