"""Measurements of this machine, and of one that does not tell."""

from collections.abc import Callable

import psutil
import pytest

from device_node import monitors
from device_node.monitors import disks, sensors
from device_node.monitors.readings import readable


def test_every_machine_tells_the_basics() -> None:
    readings = monitors.measure()
    assert readings.uptime_s is not None
    assert readings.uptime_s > 0
    assert readings.memory_percent is not None
    assert 0 < readings.memory_percent <= 100
    assert readings.disks


@pytest.mark.parametrize("error", [psutil.AccessDenied(), OSError(), NotImplementedError(), AttributeError()])
def test_value_that_cannot_be_read_is_left_out(error: Exception) -> None:
    def fails() -> float:
        raise error

    assert readable(fails) is None


def test_file_system_is_measured_once_however_often_it_is_mounted() -> None:
    mounts = [disk.mount for disk in disks.disks() or []]
    assert len(mounts) == len(set(mounts)) <= disks.MAX_DISKS


@pytest.mark.parametrize("read", [sensors.battery_percent, sensors.temperatures])
def test_missing_sensor_is_no_value(read: Callable[[], object]) -> None:
    assert readable(read) != 0
