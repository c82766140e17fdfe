"""What waits for an Ack, on its way to the broker: in order, a window at a time, and again.

Everything in here is in the journal before it is sent. It is sent on every connection until
an Ack names it, and on the same connection again with growing waits: a broker may forget,
and a controller may be away. What is new never overtakes what is older and was never sent.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from device_node.journal import Journal, JournalUnusable, Kind, Spooled

logger = logging.getLogger(__name__)

WINDOW = 100  # messages sent lately without an Ack; more than that have to wait
FIRST_WAIT = 5.0  # seconds without an Ack until a message is sent again; doubled each time
LONGEST_WAIT = 60.0  # seconds
EARLY = 0.01  # seconds by which a timer may fire before its time

Key = tuple[Kind, str]
Sent = asyncio.Future[int]
Send = Callable[[str, bytes], Sent | None]  # None when there is no connection


@dataclass(slots=True)
class _Waiting:
    topic: str
    sent_before: bool = False  # in this life of the program
    held: bytes | None = None  # the payload, of what could not be journalled


@dataclass(slots=True)
class _Flight:
    """One message on its way on this connection. `again_at` is set once its turn to be repeated comes."""

    sent: Sent
    wait_s: float = FIRST_WAIT
    again_at: float | None = None


class Spool:
    """The messages without an Ack, and their sending on one connection after the other."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: OrderedDict[Key, _Waiting] = OrderedDict()  # by age
        self._unsent: deque[Key] = deque()  # not yet sent on this connection
        self._flights: OrderedDict[Key, _Flight] = OrderedDict()
        self._lately: OrderedDict[Key, float] = OrderedDict()  # when sent, on this connection
        self._never_sent = dict.fromkeys(Kind, 0)
        self._report: Key | None = None  # of lost events, while it may still count
        self._held_back = False  # the report had its turn and was still counting
        self._send: Send = _nowhere
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    async def load(self) -> None:
        """Take over what earlier lives left; what is here already keeps its place behind it."""
        rows = await self._journal.waiting()
        here, self._waiting = self._waiting, OrderedDict()
        for one in rows:
            key = (one.kind, one.id)
            self._waiting[key] = here.pop(key) if key in here else _Waiting(one.topic)
        self._waiting.update(here)
        for kind in Kind:
            self._never_sent[kind] = sum(
                key[0] is kind and not waiting.sent_before for key, waiting in self._waiting.items()
            )
        self._unsent = deque(key for key in self._waiting if key not in self._flights)
        self._changed.set()

    def add(self, message: Spooled, payload: bytes) -> Sent | None:
        """Send what was just journalled, or let it wait for its turn; None when it has to wait.

        A reply does not wait for room: there are never more of them than commands.
        """
        key = (message.kind, message.id)
        waiting = _Waiting(message.topic)
        first = self._never_sent[message.kind] == 0
        room = message.kind is Kind.REPLY or self._room() > 0
        self._put(key, waiting)
        if first and room and (sent := self._transmit(key, waiting, payload)) is not None:
            return sent
        self._unsent.append(key)
        self._changed.set()
        return None

    def hold(self, message: Spooled, payload: bytes) -> None:
        """Send what the journal cannot take; it lives as long as the program."""
        key = (message.kind, message.id)
        self._put(key, _Waiting(message.topic, held=payload))
        self._unsent.append(key)
        self._changed.set()

    def holds(self, kind: Kind, one: str) -> bool:
        """Whether it waits for its Ack."""
        return (kind, one) in self._waiting

    def kept(self, kind: Kind, one: str) -> None:
        """The journal has taken what was held for it."""
        if (waiting := self._waiting.get((kind, one))) is not None:
            waiting.held = None

    def announce(self, report: Spooled) -> None:
        """A report of lost events, which is sent when it has counted."""
        self._report = (report.kind, report.id)
        self._put(self._report, _Waiting(report.topic))
        self._unsent.append(self._report)
        self._changed.set()

    def drop(self, kind: Kind, ids: Iterable[str]) -> None:
        """Send these no more: they were acknowledged, or given up."""
        for one in ids:
            key = (kind, one)
            waiting = self._waiting.pop(key, None)
            if waiting is not None and not waiting.sent_before:
                self._never_sent[kind] -= 1
            self._flights.pop(key, None)
            self._lately.pop(key, None)
        if self._held_back and self._report is not None:
            self._held_back = False
            self._unsent.append(self._report)
        self._changed.set()

    async def acknowledge(
        self, *, replies: Iterable[str], events: Iterable[str], marks: Mapping[str, float] | None = None
    ) -> None:
        """The controller has these for good; the journal knows it, and `marks`, before they are dropped."""
        replies, events = list(replies), list(events)
        try:
            await self._journal.acknowledge(replies=replies, events=events, marks=marks)
        except JournalUnusable:
            # what the file still holds is sent again, and then acknowledged again
            self.drop(Kind.REPLY, [one for one in replies if self._is_held(Kind.REPLY, one)])
            self.drop(Kind.EVENT, [one for one in events if self._is_held(Kind.EVENT, one)])
            return
        self.drop(Kind.REPLY, replies)
        self.drop(Kind.EVENT, events)

    async def begin(self, send: Send) -> None:
        """A connection stands: send the oldest messages of what waits."""
        self._send = send
        self._unsent = deque(self._waiting)
        self._flights.clear()
        self._lately.clear()
        await self._send_waiting()

    async def run(self) -> None:
        """Send on the connection of `begin`, until cancelled."""
        while True:
            self._changed.clear()
            await self._send_waiting()
            await self._send_again()
            try:
                async with asyncio.timeout_at(self._next_at()):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def end(self) -> None:
        """The connection is gone."""
        self._send = _nowhere

    async def _send_waiting(self) -> None:
        while self._unsent and (room := self._room()) > 0:
            keys = [self._unsent.popleft() for _ in range(min(room, len(self._unsent)))]
            if not await self._send_these(keys):
                return

    async def _send_again(self) -> None:
        now = asyncio.get_running_loop().time()
        due: list[Key] = []
        for key, flight in islice(self._flights.items(), WINDOW):
            if flight.again_at is None:
                flight.again_at = now + flight.wait_s
            elif flight.again_at <= now + EARLY:
                flight.wait_s = min(2 * flight.wait_s, LONGEST_WAIT)
                flight.again_at = now + flight.wait_s
                if flight.sent.done():  # else it is still on its way to the broker
                    due.append(key)
        if due:
            await self._send_these(due)

    async def _send_these(self, keys: list[Key]) -> bool:
        """Send messages in this order; False when that must be tried again later."""
        here = [key for key in keys if key in self._waiting]
        try:
            if self._report is not None and self._report in here and not await self._closed_report():
                here.remove(self._report)
            kept = [key for key in here if self._waiting[key].held is None]
            payloads = await self._journal.payloads(kept) if kept else {}
        except JournalUnusable as trouble:
            # what the file holds waits for the file; what memory holds does not
            logger.debug("Cannot read what waits for an Ack: %s", trouble)
            payloads = {}
        else:  # what the journal does not have any more is not to be sent any more
            for kind, one in kept:
                if (kind, one) not in payloads:
                    self.drop(kind, [one])
        late: list[Key] = []
        for key in here:
            if (waiting := self._waiting.get(key)) is None:
                continue
            payload = waiting.held or payloads.get(key)
            if payload is None or self._transmit(key, waiting, payload) is None:
                late.append(key)
        self._unsent.extendleft(reversed([key for key in late if key not in self._flights]))
        return not late

    async def _closed_report(self) -> bool:
        if await self._journal.close_report():
            self._report = None
            return True
        self._held_back = True
        return False

    def _transmit(self, key: Key, waiting: _Waiting, payload: bytes) -> Sent | None:
        sent = self._send(waiting.topic, payload)
        if sent is None:
            return None
        now = asyncio.get_running_loop().time()
        if not waiting.sent_before:
            waiting.sent_before = True
            self._never_sent[key[0]] -= 1
        if (flight := self._flights.get(key)) is not None:
            flight.sent = sent
        else:
            self._flights[key] = _Flight(sent)
            self._changed.set()
        self._lately[key] = now
        self._lately.move_to_end(key)
        return sent

    def _put(self, key: Key, waiting: _Waiting) -> None:
        if (earlier := self._waiting.get(key)) is not None and not earlier.sent_before:
            self._never_sent[key[0]] -= 1
        self._waiting[key] = waiting
        self._never_sent[key[0]] += not waiting.sent_before

    def _is_held(self, kind: Kind, one: str) -> bool:
        waiting = self._waiting.get((kind, one))
        return waiting is not None and waiting.held is not None

    def _room(self) -> int:
        """How many may be sent now. Who hears nothing for a while may send on, slowly."""
        before = asyncio.get_running_loop().time() + EARLY - FIRST_WAIT
        while self._lately and next(iter(self._lately.values())) <= before:
            self._lately.popitem(last=False)
        return WINDOW - len(self._lately)

    def _next_at(self) -> float | None:
        """When there is something to do without being told."""
        now = asyncio.get_running_loop().time()
        moments = [
            now if flight.again_at is None else flight.again_at
            for flight in islice(self._flights.values(), WINDOW)
        ]
        if self._unsent:
            oldest = next(iter(self._lately.values()), now)
            moments.append(max(oldest, now - FIRST_WAIT + 1.0) + FIRST_WAIT)
        return min(moments, default=None)


def _nowhere(_topic: str, _payload: bytes) -> None:
    return None
