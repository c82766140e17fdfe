"""What a heartbeat measures, by name: a device's own words are bounded before they become a key.

A value that cannot be a measurement is left out; zero is a value.
"""

from collections.abc import Iterator
from itertools import islice

from schemas.devices import Heartbeat

MAX_MEASURES = 32  # of one device
MAX_NAME = 64  # characters
LARGEST = 1e12  # of a value, either way; sums of such stay finite

_UNITS = {"cpu": "%", "memory": "%", "battery": "%", "disk": "%", "temperature": "°C"}


def of(heartbeat: Heartbeat) -> dict[str, float]:
    """What it measures, the device's own load first; at most `MAX_MEASURES`."""
    found = (
        (name, float(value))
        for name, value in _named(heartbeat)
        if len(name) <= MAX_NAME and name.isprintable() and -LARGEST <= value <= LARGEST
    )
    return dict(islice(found, MAX_MEASURES))


def unit(measure: str) -> str:
    """What its values are in; empty where only the device knows."""
    return _UNITS.get(measure.partition(":")[0], "")


def _named(heartbeat: Heartbeat) -> Iterator[tuple[str, float]]:
    own = {
        "cpu": heartbeat.cpu_percent,
        "memory": heartbeat.memory_percent,
        "battery": heartbeat.battery_percent,
    }
    for name, value in own.items():
        if value is not None:
            yield name, value
    for disk in heartbeat.disks or ():
        yield f"disk:{disk.mount}", disk.percent
    for sensor, degrees in (heartbeat.temperatures or {}).items():
        yield f"temperature:{sensor}", degrees
    for machine, state in (heartbeat.machines or {}).items():
        for field, said in state.items():
            if isinstance(said, int | float) and not isinstance(said, bool):
                yield f"machine:{machine}.{field}", said
