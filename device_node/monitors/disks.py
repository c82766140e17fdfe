"""How full the device's own file systems are."""

import psutil

from schemas.devices import Disk

MAX_DISKS = 16
GIGABYTE = 1_000_000_000


def disks() -> list[Disk] | None:
    """Each file system once, however often it is mounted; empty drives are left out."""
    found: dict[str, Disk] = {}
    for partition in psutil.disk_partitions(all=False):
        if partition.device in found or len(found) == MAX_DISKS:
            continue
        try:
            usage = psutil.disk_usage(partition.mountpoint)
        except OSError:
            continue
        if usage.total:
            mount = partition.mountpoint.encode("utf-8", "replace").decode()
            found[partition.device] = Disk(
                mount=mount, percent=min(100.0, usage.percent), free_gb=round(usage.free / GIGABYTE, 2)
            )
    if not found:  # a container shows no devices, its root is still of interest
        usage = psutil.disk_usage("/")
        return [Disk(mount="/", percent=usage.percent, free_gb=round(usage.free / GIGABYTE, 2))]
    return list(found.values())
