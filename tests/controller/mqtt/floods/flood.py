"""Seconds, and devices that send much in them."""

from controller.mqtt.floods import PAUSE, UNACKED, Floods
from controller.mqtt.meter import Amount
from schemas.topics import Kind


class Time:
    """Seconds, which a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def crowded(floods: Floods, time: Time, shares: dict[str, int], *, seconds: float, full: bool = True) -> None:
    """Batches in which each device sends so much, for so long."""
    until = time.now + seconds
    while time.now < until:
        for device_id, count in shares.items():
            for _ in range(count):
                floods.hears(device_id, Kind.REPLY, 100)
        time.now += PAUSE / 4
        floods.taken(full=full)


class Told:
    """Whom the floods gave up to be shut out, and what they had sent."""

    def __init__(self, floods: Floods) -> None:
        self.devices: dict[str, Amount] = {}
        floods.tell = self.devices.__setitem__


def flood(floods: Floods, kind: Kind, count: int, *, device_id: str = "loud") -> int:
    """Say something so often, all at once; how much of it was heard."""
    return sum(floods.hears(device_id, kind, 100) for _ in range(count))


def come_back(floods: Floods, count: int, *, device_id: str = "honest", full: bool = True) -> int:
    """Say so much as a spool does: some, and more when that was taken; how much of it was heard."""
    heard = 0
    for start in range(0, count, UNACKED):
        heard += flood(floods, Kind.EVENT, min(UNACKED, count - start), device_id=device_id)
        floods.taken(full=full)
    return heard
