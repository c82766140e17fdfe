"""What a heartbeat measures, one file a subject. A value that cannot be read is left out."""

from device_node.monitors import disks, load, sensors
from device_node.monitors.readings import Readings, readable

__all__ = ["Readings", "measure"]


def measure() -> Readings:
    """Read everything once. Blocks for some milliseconds: call it in a worker thread."""
    return Readings(
        uptime_s=readable(load.uptime_s),
        cpu_percent=readable(load.cpu_percent),
        memory_percent=readable(load.memory_percent),
        disks=readable(disks.disks),
        battery_percent=readable(sensors.battery_percent),
        temperatures=readable(sensors.temperatures),
    )
