"""In: a batch of messages, one transaction, and only then PUBACK and Ack.

A message that cannot be used is dropped with its PUBACK; one that could not be
stored is kept and tried again, and meanwhile the broker waits.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from broker.session import Received, Session
from controller.mqtt import filing
from controller.mqtt.complaints import Complaints
from controller.mqtt.filing import Filing
from controller.mqtt.floods import Floods
from controller.mqtt.outbox import Outbox
from controller.mqtt.paces import Pace, Paces
from controller.mqtt.routes import ROUTES, Arrived, Route, heartbeats
from controller.mqtt.trust import Trust
from controller.services import devices
from controller.store.store import Store, StoreBusy, StoreFailed
from schemas.devices import Heartbeat
from schemas.topics import Address, Kind, Topics
from schemas.wire import MalformedMessage

logger = logging.getLogger(__name__)

BATCH = 256  # messages in one transaction
FLUSH_EVERY = timedelta(seconds=5)  # heartbeats reach the store in batches
MAX_HEARTBEATS = BATCH  # devices whose latest waits for that; when there are more, sooner
PEOPLE = frozenset({Kind.REQUEST, Kind.DECISION})

Message = tuple[Route[Any], Arrived[Any]]


def utc_now() -> datetime:
    """The hour."""
    return datetime.now(UTC)


def _nobody_joins(_invite_id: str, _message: Received) -> None:
    return None


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
        max_skew_s: float = devices.MAX_SKEW,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._outbox = outbox
        self._trust = trust or Trust(store, allow_unsigned=True, now=now)
        self._topics = topics
        self._join = join
        self.complaints = complaints or Complaints()
        self._store = store
        self._filing = Filing(store, self.complaints)
        self.floods = Floods(self.complaints)
        self._paces = paces or Paces()
        self._now = now
        self.behind = False  # more has arrived than one batch takes: what is heard may be old
        self._heartbeats: dict[str, Arrived[Heartbeat]] = {}
        self._keep_heartbeats = Route(Heartbeat, partial(heartbeats, max_skew_s=max_skew_s), together=True)
        self._flushed_at = now()

    async def serve(self, session: Session) -> None:
        """Handle messages until the session is gone, then raise its loss."""
        while True:
            batch = await self._receive(session)
            self.behind = len(batch) == BATCH
            await self._handle(batch)
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
        if address is None:
            return None
        if address.kind is Kind.JOIN_REQUEST:
            self._join(address.owner, received)
            return None
        route = ROUTES.get(address.kind)
        if route is None or not self._admits(address, route, received):
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
        self.floods.count(address.owner)
        if (fault := self._trust.fault(address, received)) is not None:
            self.complaints.add(address.owner, f"a {address.kind.value}: {fault}")
            return False
        return address.kind is not Kind.EVENT or not self.floods.puts_off(address.owner)

    def _due_heartbeats(self, now: datetime) -> list[Message]:
        """The latest of each device, now and then; whoever it is, no more of them wait than that."""
        if not self._heartbeats:
            return []
        if now - self._flushed_at < FLUSH_EVERY and len(self._heartbeats) < MAX_HEARTBEATS:
            return []
        latest, self._heartbeats, self._flushed_at = self._heartbeats, {}, now
        return [(self._keep_heartbeats, each) for each in latest.values()]
