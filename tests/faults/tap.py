"""An ear and a hand on the wire: hears every message of the devices, and repeats some by hand.

It connects to the broker itself, not through a line that is broken, with rights like the
controller's.
"""

import asyncio
from collections import defaultdict, deque
from random import Random

from broker.session import Backoff, Connected, Endpoint, Session, Subscription, keep_connected
from schemas.commands import Cancel, Command, Reply
from schemas.ids import new_id
from schemas.topics import Kind, Topics
from schemas.wire import MalformedMessage
from tests.faults.ledger import Ledger

KEPT = 40  # messages of each kind and device, to be repeated
BATCH = 200
HEARD = (Kind.COMMAND, Kind.CANCEL, Kind.ACK, Kind.REPLY, Kind.EVENT)
QUICK = Backoff(first_s=0.05, longest_s=0.5, taken_over_s=0.5, longest_taken_over_s=0.5)
RETAINED_FOR = 1.0  # seconds that a retained command stands


class Tap:
    """Hears and repeats."""

    def __init__(self, endpoint: Endpoint, topics: Topics, ledger: Ledger, seed: int) -> None:
        self._endpoint = endpoint
        self._topics = topics
        self._ledger = ledger
        self._random = Random(seed)  # noqa: S311 - repeatable, not secret
        self.hearing = asyncio.Event()  # it has a line for the first time
        self._session: Session | None = None
        self._kept: defaultdict[tuple[Kind, str], deque[tuple[str, bytes]]] = defaultdict(
            lambda: deque(maxlen=KEPT)
        )
        self.never_ordered: set[str] = set()  # ids that only a retained message ever named

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop`."""

        async def serve(session: Session, _connected: Connected) -> None:
            filters = [self._topics.every_device(kind) for kind in HEARD]
            await session.subscribe([Subscription(each) for each in filters])
            self._session = session
            self.hearing.set()
            try:
                while True:
                    for message in await session.receive(BATCH):
                        self._hear(message.topic, message.payload, retained=message.retain)
                        session.ack(message)
            finally:
                self._session = None

        await keep_connected(
            lambda: Session(self._endpoint, client_id=self._endpoint.username or "", keepalive_s=3),
            serve,
            stop=stop,
            backoff=QUICK,
        )

    def repeat(self, device_id: str) -> None:
        """Send some earlier messages of each kind again, the oldest and the newest among them."""
        for kind in HEARD:
            kept = list(self._kept[kind, device_id])
            chosen = [*kept[-1:], *self._random.sample(kept, min(3, len(kept)))]
            for topic, payload in chosen:
                self._say(topic, payload)
                self._ledger.repeated[kind.value] += 1

    def cancel_again(self, device_id: str) -> None:
        """Cancel something that may have ended long ago, or again."""
        for topic, payload in list(self._kept[Kind.CANCEL, device_id])[-2:]:
            self._say(topic, payload)
            self._ledger.repeated[Kind.CANCEL.value] += 1
        for _, payload in list(self._kept[Kind.COMMAND, device_id])[-1:]:
            command = Command.decode(payload)
            late = Cancel(
                id=new_id(), command_id=command.id, at=command.issued_at, expires_at=command.expires_at
            )
            self._say(self._topics.device(device_id, Kind.CANCEL), late.encode())
            self._ledger.repeated[Kind.CANCEL.value] += 1

    async def retain_a_command(self, device_id: str) -> None:
        """Leave a command of a new id at the broker as a retained one, for a while."""
        kept = self._kept[Kind.COMMAND, device_id]
        if not kept:
            return
        topic, payload = kept[-1]
        forged = Command.decode(payload).model_copy(update={"id": new_id()})
        self.never_ordered.add(forged.id)
        self._say(topic, forged.encode(), retain=True)
        self._ledger.repeated["retained"] += 1
        await asyncio.sleep(RETAINED_FOR)

    def clear_retained(self, device_ids: list[str]) -> None:
        """Take what was retained by hand away."""
        for device_id in device_ids:
            self._say(self._topics.device(device_id, Kind.COMMAND), b"", retain=True)

    def _say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if self._session is not None and self._session.alive:
            self._session.publish(topic, payload, retain=retain)

    def _hear(self, topic: str, payload: bytes, *, retained: bool) -> None:
        address = self._topics.parse(topic)
        if address is None or not payload or retained:
            return
        if address.kind is Kind.REPLY:
            try:
                reply = Reply.decode(payload)
            except MalformedMessage:
                return
            if reply.status.is_final:
                self._ledger.final(reply.command_id, reply.status.value)
        if address.kind is Kind.COMMAND and any(
            forged in payload.decode(errors="replace") for forged in self.never_ordered
        ):
            return
        self._kept[address.kind, address.owner].append((topic, payload))
