"""An ear and a hand on the wire: hears every message of the devices, and repeats some by hand.

It connects to the broker itself, not through a line that is broken, with rights like the
controller's, and with the controller's key.
"""

import asyncio
import json
from collections import defaultdict, deque
from pathlib import Path

from broker.session import (
    Backoff,
    Connected,
    Endpoint,
    PublishProperties,
    Received,
    Session,
    Subscription,
    keep_connected,
)
from schemas.commands import Cancel, Command, Reply
from schemas.ids import new_id
from schemas.signing import Signer, UserProperties
from schemas.topics import Kind, Topics
from schemas.wire import MalformedMessage
from tests.chance import repeatable
from tests.faults.ledger import Ledger

KEPT = 40  # messages of each kind and device, to be repeated
BATCH = 200
HEARD = (Kind.COMMAND, Kind.CANCEL, Kind.ACK, Kind.REPLY, Kind.EVENT)
QUICK = Backoff(first_s=0.05, longest_s=0.5, taken_over_s=0.5, longest_taken_over_s=0.5)
RETAINED_FOR = 1.0  # seconds that a retained command stands


class Tap:
    """Hears and repeats."""

    def __init__(self, endpoint: Endpoint, topics: Topics, ledger: Ledger, seed: int, *, keys: Path) -> None:
        self._endpoint = endpoint
        self._keys = keys
        self._topics = topics
        self._ledger = ledger
        self._random = repeatable(seed)
        self.hearing = asyncio.Event()  # it has a line for the first time
        self._session: Session | None = None
        self._kept: defaultdict[tuple[Kind, str], deque[tuple[str, bytes, UserProperties]]] = defaultdict(
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
                        self._hear(message)
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
            for topic, payload, signed in chosen:
                self._say(topic, payload, signed)
                self._ledger.repeated[kind.value] += 1

    def cancel_again(self, device_id: str) -> None:
        """Cancel something that may have ended long ago, or again."""
        for topic, payload, signed in list(self._kept[Kind.CANCEL, device_id])[-2:]:
            self._say(topic, payload, signed)
            self._ledger.repeated[Kind.CANCEL.value] += 1
        for _, payload, _ in list(self._kept[Kind.COMMAND, device_id])[-1:]:
            command = Command.decode(payload)
            late = Cancel(
                id=new_id(), command_id=command.id, at=command.issued_at, expires_at=command.expires_at
            )
            self._say_signed(self._topics.device(device_id, Kind.CANCEL), late.encode())
            self._ledger.repeated[Kind.CANCEL.value] += 1

    async def retain_a_command(self, device_id: str) -> None:
        """Leave a command of a new id at the broker as a retained one, for a while."""
        kept = self._kept[Kind.COMMAND, device_id]
        if not kept:
            return
        topic, payload, _ = kept[-1]
        forged = Command.decode(payload).model_copy(update={"id": new_id()})
        self.never_ordered.add(forged.id)
        self._say_signed(topic, forged.encode(), retain=True)
        self._ledger.repeated["retained"] += 1
        await asyncio.sleep(RETAINED_FOR)

    def clear_retained(self, device_ids: list[str]) -> None:
        """Take what was retained by hand away."""
        for device_id in device_ids:
            self._say(self._topics.device(device_id, Kind.COMMAND), b"", retain=True)

    def _say_signed(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        signer = Signer.restore(json.loads(self._keys.read_text(encoding="ascii"))[-1]["secret"])
        self._say(topic, payload, signer.sign(topic, payload), retain=retain)

    def _say(self, topic: str, payload: bytes, signed: UserProperties = (), *, retain: bool = False) -> None:
        if self._session is not None and self._session.alive:
            properties = PublishProperties(user_properties=signed)
            self._session.publish(topic, payload, retain=retain, properties=properties)

    def _hear(self, message: Received) -> None:
        topic, payload = message.topic, message.payload
        address = self._topics.parse(topic)
        if address is None or not payload or message.retain:
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
        self._kept[address.kind, address.owner].append((topic, payload, message.user_properties))
