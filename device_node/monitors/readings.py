"""One set of measurements, and how a measurement that fails becomes no value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psutil

from schemas.devices import Disk

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Readings:
    """`None` is a value that could not be read, never zero."""

    uptime_s: float | None = None
    cpu_percent: float | None = None
    memory_percent: float | None = None
    disks: list[Disk] | None = None
    battery_percent: float | None = None
    temperatures: dict[str, float] | None = None


def readable(read: Callable[[], Value | None]) -> Value | None:
    """The value, or None where this system does not tell it."""
    try:
        return read()
    except (psutil.Error, OSError, AttributeError, NotImplementedError, ValueError, RuntimeError):
        # psutil lacks whole functions on some systems and trips over odd files in /sys and /proc
        return None
