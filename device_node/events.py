"""What the device noticed, told to the controller: kept first, then sent, until an Ack names it."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime

from device_node.journal import Journal, Kind, Spooled
from device_node.spool import Spool
from schemas.events import Event, Severity
from schemas.ids import new_id
from schemas.wire import MAX_PAYLOAD, JsonObject

logger = logging.getLogger(__name__)

MAX_HELD = 100  # events that the journal could not take


class EventTooLarge(ValueError):
    """It can never travel; make its data smaller."""

    def __init__(self, kind: str, size: int) -> None:
        super().__init__(f"an event {kind!r} of {size} bytes cannot travel, at most {MAX_PAYLOAD}")


class Events:
    """The events of one device. To be made on the event loop that sends them."""

    def __init__(
        self,
        topic: str,
        journal: Journal,
        spool: Spool,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        made: Callable[[str], None] = lambda _event_id: None,
    ) -> None:
        self._topic = topic
        self._journal = journal
        self._spool = spool
        self._now = now
        self._told = made  # called with an event's id before it is sent for the first time
        self._loop = asyncio.get_running_loop()
        self._held: dict[str, Event] = {}

    async def report(
        self, kind: str, severity: Severity, data: JsonObject, *, resolves: str | None = None
    ) -> str:
        """Report something; when this returns its id, it will reach the controller whatever dies.

        Unless so much waits already that events of its severity have to go: the controller
        then hears how many were lost.

        Raises:
            EventTooLarge: it can never travel.
            JournalUnusable: it could not be kept, and is not sent.
        """
        event = self._made(kind, severity, data, resolves)
        await self._keep(event)
        return event.id

    def report_from_thread(
        self, kind: str, severity: Severity, data: JsonObject, *, resolves: str | None = None
    ) -> Future[str]:
        """The same for another thread, which may wait for the result or not."""
        return asyncio.run_coroutine_threadsafe(
            self.report(kind, severity, data, resolves=resolves), self._loop
        )

    def report_unkept(
        self, kind: str, severity: Severity, data: JsonObject, *, resolves: str | None = None
    ) -> str:
        """Report something that the journal cannot take now: trouble with the journal itself."""
        event = self._made(kind, severity, data, resolves)
        if len(self._held) >= MAX_HELD:
            logger.warning("Too many events wait for the journal, dropped one of type %s", kind)
            return event.id
        self._held[event.id] = event
        self._spool.hold(Spooled(Kind.EVENT, event.id, self._topic), event.encode())
        return event.id

    async def keep_held(self) -> None:
        """Write down what could not be kept before.

        Raises:
            JournalUnusable: it still cannot; nothing is lost by that.
        """
        while self._held:
            event_id, event = next(iter(self._held.items()))
            if self._spool.holds(Kind.EVENT, event_id):  # else an Ack was faster
                await self._keep(event)
            self._held.pop(event_id, None)

    def _made(self, kind: str, severity: Severity, data: JsonObject, resolves: str | None) -> Event:
        event = Event(id=new_id(), type=kind, severity=severity, data=data, at=self._now(), resolves=resolves)
        if (size := len(event.encode())) > MAX_PAYLOAD:
            raise EventTooLarge(kind, size)
        return event

    async def _keep(self, event: Event) -> None:
        shed = await self._journal.report(event, self._topic)
        self._spool.drop(Kind.EVENT, shed.gone)
        if shed.report is not None:
            self._spool.announce(shed.report)
        if event.id in shed.gone:
            return
        if event.id in self._held:
            self._spool.kept(Kind.EVENT, event.id)
        else:
            self._told(event.id)
            self._spool.add(Spooled(Kind.EVENT, event.id, self._topic), event.encode())
