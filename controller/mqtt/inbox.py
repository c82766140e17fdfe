"""In: a batch of messages, one transaction, and only then PUBACK and Ack.

A message that cannot be used is dropped with its PUBACK; one that could not be
stored is kept and tried again, and meanwhile the broker waits.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from broker.session import Received, Session
from controller.mqtt.complaints import Complaints
from controller.mqtt.outbox import Outbox
from controller.mqtt.routes import ROUTES, Receipt
from controller.store.store import Session as StoreSession
from controller.store.store import Store, StoreBusy, StoreFailed
from schemas.devices import Heartbeat
from schemas.topics import Address, Kind, Topics
from schemas.wire import MalformedMessage

logger = logging.getLogger(__name__)

BATCH = 256  # messages in one transaction
FLUSH_EVERY = timedelta(seconds=5)  # heartbeats reach the store in batches


@dataclass(frozen=True, slots=True)
class Unit:
    """One message's work in the store, and whose message it was."""

    sender: str
    work: Callable[[StoreSession], Receipt | None]


def utc_now() -> datetime:
    """The hour."""
    return datetime.now(UTC)


class Inbox:
    """Takes what arrives on the session of the moment."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        topics: Topics,
        *,
        complaints: Complaints | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._topics = topics
        self.complaints = complaints or Complaints()
        self._now = now
        self._heartbeats: dict[str, Heartbeat] = {}
        self._flushed_at = now()

    async def serve(self, session: Session) -> None:
        """Handle messages until the session is gone, then raise its loss."""
        while True:
            batch = await session.receive(BATCH)
            await self._handle(batch)
            for message in batch:
                session.ack(message)

    async def _handle(self, batch: Sequence[Received]) -> None:
        now = self._now()
        units = [unit for message in batch if (unit := self._unit(message, now)) is not None]
        units += self._due_heartbeats(now)
        cards = [card for message in batch if (card := self._card(message))]
        if cards:
            await self._outbox.tidy_cards(cards)
        if units:
            await self._outbox.acknowledge([receipt for receipt in await self._store_all(units) if receipt])

    async def _store_all(self, units: list[Unit]) -> list[Receipt | None]:
        """Store every unit; what the database could not take now is tried until it can."""
        receipts: list[Receipt | None] = []
        waiting = units
        retrying = AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.1, max=5), retry=retry_if_exception_type(_NotStored)
        )
        async for attempt in retrying:
            with attempt:
                done, waiting = await self._try_all(waiting)
                receipts += done
                if waiting:
                    raise _NotStored
        return receipts

    async def _try_all(self, units: list[Unit]) -> tuple[list[Receipt | None], list[Unit]]:
        try:
            outcomes = await self._store.write_all([unit.work for unit in units])
        except StoreBusy:
            return [], units
        done: list[Receipt | None] = []
        again: list[Unit] = []
        for unit, outcome in zip(units, outcomes, strict=True):
            if isinstance(outcome, StoreFailed):
                again.append(unit)
            elif isinstance(outcome, MalformedMessage):
                self.complaints.add(unit.sender, str(outcome))
            elif isinstance(outcome, Exception):
                logger.error("A message of %s could not be handled", unit.sender, exc_info=outcome)
            else:
                done.append(outcome)
        return done, again

    def _card(self, message: Received) -> str | None:
        address = self._topics.parse(message.topic)
        return address.owner if address and address.kind is Kind.APPROVAL and message.payload else None

    def _unit(self, message: Received, now: datetime) -> Unit | None:
        address = self._topics.parse(message.topic)
        if address is None:
            return None
        route = ROUTES.get(address.kind)
        if route is None:
            return None
        if message.retain and not route.retained:
            if address.kind is not Kind.HEARTBEAT:  # a stored heartbeat is normal, it just proves nothing
                self.complaints.add(address.owner, f"a retained {address.kind.value}")
            return None
        if not message.payload:
            return None  # a retained topic was cleared
        try:
            decoded = route.read(message.payload)
        except MalformedMessage as error:
            self.complaints.add(address.owner, str(error))
            return None
        if isinstance(decoded, Heartbeat):
            self._heartbeats[address.owner] = decoded
            return None
        return _work(route.handle, address, decoded, now)

    def _due_heartbeats(self, now: datetime) -> list[Unit]:
        if not self._heartbeats or now - self._flushed_at < FLUSH_EVERY:
            return []
        latest, self._heartbeats, self._flushed_at = self._heartbeats, {}, now
        handle = ROUTES[Kind.HEARTBEAT].handle
        return [
            _work(handle, Address(Kind.HEARTBEAT, device_id), beat, now) for device_id, beat in latest.items()
        ]


def _work(handle: Callable[..., Receipt | None], address: Address, message: object, now: datetime) -> Unit:
    return Unit(address.owner, lambda session: handle(session, address, message, now))


class _NotStored(Exception):
    """The database did not take everything."""
