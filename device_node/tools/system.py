"""What the device is and how full it is. A value that cannot be read is left out."""

import platform
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from device_node.safety.errors import translated
from device_node.tools.tool import Call, Result

_MOST_DISKS = 100


def system_info(_call: Call) -> Result:
    """Operating system, processor, memory, uptime, users."""
    memory = psutil.virtual_memory()
    result: dict[str, Any] = {
        "hostname": platform.node(),
        "os": platform.system(),
        "version": _version(),
        "architecture": platform.machine(),
        "cpu": _processor(),
        "cpu_count": psutil.cpu_count(),
        "memory_bytes": memory.total,
        "memory_percent": memory.percent,
        "uptime_s": round(time.time() - psutil.boot_time()),
    }
    if hasattr(psutil, "getloadavg"):
        result["load"] = [round(value, 2) for value in psutil.getloadavg()]
    with suppress(psutil.Error, OSError):  # some systems keep no record of who is signed in
        result["users"] = sorted({user.name for user in psutil.users()})
    return {name: value for name, value in result.items() if value not in (None, "")}


def disk_usage(call: Call) -> Result:
    """How full the disks are, or the one that holds a path."""
    if "path" in call.arguments:
        path = call.text("path")
        with call.node.fence().locate(path) as place, translated(path):
            place.lstat()
            # of the folder: a file system does not change within one, and links were followed
            return {"disks": [_usage(place.folder.path)]}
    disks = []
    for partition in psutil.disk_partitions(all=False):
        try:
            disks.append(_usage(partition.mountpoint))
        except OSError:
            continue  # a drive without a disk in it
    if not disks and sys.platform != "win32":
        disks.append(_usage("/"))  # in a container no partition is listed
    return {"disks": disks[:_MOST_DISKS], "truncated": len(disks) > _MOST_DISKS}


def _usage(mount: str) -> dict[str, Any]:
    usage = psutil.disk_usage(mount)
    return {
        "mount": mount,
        "total_bytes": usage.total,
        "used_bytes": usage.used,
        "free_bytes": usage.free,
        "percent": usage.percent,
    }


def _version() -> str:
    if platform.system() == "Linux":
        try:
            return platform.freedesktop_os_release().get("PRETTY_NAME", platform.release())
        except OSError:
            return platform.release()
    return platform.mac_ver()[0] or platform.version()


def _processor() -> str:
    if platform.system() == "Linux":
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return platform.processor()
        names = (line.split(":", 1)[1].strip() for line in lines if line.lower().startswith("model name"))
        return next(names, platform.processor())
    return platform.processor()
