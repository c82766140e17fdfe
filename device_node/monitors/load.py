"""How busy the device is."""

import time

import psutil


def uptime_s() -> float:
    """Seconds since the device started."""
    return max(0.0, round(time.time() - psutil.boot_time(), 1))


def cpu_percent() -> float:
    """Since the last time it was asked; since the start of the device the first time."""
    return min(100.0, psutil.cpu_percent(interval=None))


def memory_percent() -> float:
    """What is in use of the memory."""
    return min(100.0, psutil.virtual_memory().percent)
