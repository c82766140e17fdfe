"""One device that sends more than can be taken does not take everybody's turn.

Who sends more than a device may (`meter`) is first not heard with its heartbeats. More is also
to send on without waiting for any Ack: a device that was away has much to say, but only some
of it on the way at once. Who is far beyond that is given to whoever shuts devices out (`tell`), and from then on is not heard at
all until it is let in again. And while the controller is behind, events of a device with more
than its share are put off, even if it sends no more than it may.

What is not heard is neither stored nor acknowledged, so a device keeps it and sends it again.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from controller.mqtt.complaints import MAX_REMEMBERED, Complaints
from controller.mqtt.meter import PATIENCE, Allowance, Amount, Meter, Standing
from schemas.topics import Kind
from schemas.wire import MAX_PAYLOAD

BEHIND = 5.0  # seconds in which every batch was full: more arrives than is taken
PAUSE = 1.0  # seconds between two batches in which nothing can have waited
STALL = 10.0  # seconds that a batch took to be stored; what comes then has waited for us
LONGEST_CATCH_UP = 600.0  # seconds; where a broker does not show us that what it kept is over
SHARE = 0.25  # of all messages of that time; a device with more is put off
UNACKED = 100  # messages of one device that a batch may hold: as many as a spool sends without an Ack
AHEAD = 500  # messages beyond that, all in all, before a device is over
ANSWERS = 4  # messages that one command may bring: accepted, progress, its end, and that once more

_WITHIN, _FAR_OVER = Standing.WITHIN, Standing.FAR_OVER


class Floods:
    """What each device sent of late, and what of it is heard.

    `tell`, if somebody set it, is called with a device that is to be shut out.
    """

    def __init__(
        self,
        complaints: Complaints,
        clock: Callable[[], float] = monotonic,
        *,
        allowance: Allowance | None = None,
    ) -> None:
        self.allowance = allowance or Allowance()
        self.put_off: Counter[str] = Counter()  # messages that have to come again, by device
        self.dropped: Counter[str] = Counter()  # heartbeats, by device
        self.tell: Callable[[str, Amount], None] | None = None
        self._shut_out: set[str] = set()
        self._meter = Meter(self.allowance)
        # heartbeats are kept by nobody: they have no backlog
        self._beats = Meter(self.allowance, at_once=max(1.0, PATIENCE * self.allowance.messages_per_s))
        self._ahead = Meter(self.allowance, at_once=AHEAD)
        self._in_batch: dict[str, int] = {}
        self._complaints = complaints
        self._clock = clock
        self._since = self._last = clock()
        self._catching_up_since = math.inf
        self._sent: dict[str, int] = {}
        self._flooding: frozenset[str] = frozenset()

    def hears(self, device_id: str, kind: Kind, size: int) -> bool:
        """Note a message of this device; whether it is heard."""
        if device_id in self._shut_out:
            self.put_off[device_id] += 1
            return False
        self._sent[device_id] = self._sent.get(device_id, 0) + 1
        now = self._clock()
        standing = self._meter.count(device_id, size, now)
        if kind is Kind.HEARTBEAT:
            standing = max(standing, self._beats.count(device_id, size, now))
        else:
            in_batch = self._in_batch[device_id] = self._in_batch.get(device_id, 0) + 1
            if in_batch > UNACKED:
                standing = max(standing, self._ahead.count(device_id, size, now))
        if standing is _WITHIN:
            return self._bears_share(device_id, kind)
        if standing is _FAR_OVER and self.tell is not None:
            self._give_up(self.tell, device_id, self._meter.sent(device_id, now))
            return False
        return self._bears(device_id, kind)

    def look_ahead(self, waiting: Counter[str]) -> None:
        """Note how much of each device has arrived and was not taken yet: who floods is found before it is stored."""
        if self.tell is None:
            return
        now = self._clock()
        for device_id, count in waiting.items():
            if device_id in self._shut_out or count <= UNACKED:
                continue
            if self._ahead.would_stand(device_id, count - UNACKED, now) is _FAR_OVER:
                sent = self._meter.sent(device_id, now)
                self._give_up(self.tell, device_id, replace(sent, messages=sent.messages + count))

    def puts_off(self, device_id: str) -> bool:
        """Whether an event of this device has to wait; it is counted if so."""
        if device_id not in self._flooding:
            return False
        self.put_off[device_id] += 1
        return True

    def expect(self, device_id: str) -> None:
        """A command goes to this device: what it answers is not held against it."""
        now = self._clock()
        self._meter.expect(device_id, ANSWERS, MAX_PAYLOAD, now)
        self._ahead.expect(device_id, ANSWERS, MAX_PAYLOAD, now)

    def shut_out(self, device_id: str) -> None:
        """Hear nothing of a device."""
        for counted in (self.put_off, self.dropped):
            if len(counted) >= MAX_REMEMBERED:
                counted.clear()
        self._shut_out.add(device_id)

    def let_in(self, device_id: str) -> None:
        """Hear a device again, as one that has sent nothing yet."""
        self._shut_out.discard(device_id)
        for meter in (self._meter, self._beats, self._ahead):
            meter.forget(device_id)

    def catch_up(self) -> None:
        """We did not listen for a while: until `caught_up`, what comes is what the broker kept meanwhile."""
        self._catching_up_since = self._clock()
        for meter in (self._meter, self._ahead):
            meter.begin_catching_up()

    def caught_up(self) -> None:
        """From here on, what comes is sent now."""
        self._catching_up_since = math.inf
        for meter in (self._meter, self._ahead):
            meter.end_catching_up()

    def taken(self, *, full: bool) -> None:
        """Note that a batch was taken; a full one says that more waits behind it."""
        before, self._last = self._last, self._clock()
        self._in_batch.clear()
        if self._last - self._catching_up_since > LONGEST_CATCH_UP:
            self.caught_up()
        if not full or self._last - before > PAUSE:
            self._flooding = frozenset()
        elif self._last - self._since >= BEHIND:
            self._judge()
        else:
            return
        self._since = self._last
        self._sent.clear()

    def _bears_share(self, device_id: str, kind: Kind) -> bool:
        """Whether this is heard of a device that may speak: not if it crowds the others out."""
        if kind is Kind.EVENT:
            return not self.puts_off(device_id)
        # each reply is a transaction of its own: those that nobody asked for may come again
        if (
            kind is Kind.REPLY
            and self._in_batch.get(device_id, 0) > UNACKED
            and not self._ahead.is_empty(device_id)
        ):
            self.put_off[device_id] += 1
            return False
        return True

    def _give_up(self, tell: Callable[[str, Amount], None], device_id: str, amount: Amount) -> None:
        self.shut_out(device_id)
        tell(device_id, amount)

    def _bears(self, device_id: str, kind: Kind) -> bool:
        """What is heard of a device that sends more than it may."""
        most = self.allowance
        allowed = (
            f"it sends more than {most.messages_per_s:g} messages or {most.bytes_per_s:,.0f} bytes a second"
        )
        if kind is not Kind.HEARTBEAT:
            return self._bears_share(device_id, kind)
        self.dropped[device_id] += 1
        self._complaints.add(device_id, f"{allowed}; its heartbeats are dropped")
        return False

    def _judge(self) -> None:
        total = sum(self._sent.values())
        crowding = {each for each, count in self._sent.items() if count > SHARE * total}
        self._flooding = frozenset(crowding) if len(self._sent) > 1 else frozenset()  # alone, it harms nobody
        for device_id in self._flooding:
            said = f"{self._sent[device_id]} of {total} messages in {BEHIND:.0f} s are its own"
            self._complaints.add(device_id, f"{said}; its events are put off")
