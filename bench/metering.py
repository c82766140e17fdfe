"""What it costs to measure what each device sends, beside reading one message from its bytes."""

import itertools
from datetime import UTC, datetime

from bench.figures import Figure, microseconds
from controller.mqtt.complaints import Complaints
from controller.mqtt.floods import Floods
from schemas.events import Event, Severity
from schemas.topics import Kind

ROUNDS = 20_000
DEVICES = 1_000


def measure() -> list[Figure]:
    """Microseconds a message of a thousand devices."""
    floods = Floods(Complaints())
    names = itertools.cycle([f"device-{number}" for number in range(DEVICES)])
    event = Event(id="e", type="noise", severity=Severity.INFO, data={}, at=datetime.now(UTC)).encode()
    counts = itertools.count()

    def hear() -> None:
        floods.hears(next(names), Kind.EVENT, 200)
        if next(counts) % 256 == 0:
            floods.taken(full=False)

    ours = microseconds(hear, rounds=ROUNDS)
    reading = microseconds(lambda: Event.decode(event), rounds=ROUNDS)
    return [
        Figure(
            "measuring what a device sends, per message",
            ours.said("µs"),
            f"decoding an event {reading.said('µs')}",
            ours.median / reading.median,
            "little beside it",
            ours.median < reading.median,
        )
    ]
