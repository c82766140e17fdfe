"""What the device is and how full it is. A value that cannot be read is left out."""

import platform
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from device_node.safety.errors import shown
from device_node.tools.content import kind_of
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
        with call.node.fence().locate(path) as place:
            if kind_of(place.lstat()) == "directory":
                with place.opened() as folder:  # it may be where another disk is mounted
                    return {"disks": [{"path": path} | _row(*folder.space())]}
            return {"disks": [{"path": path} | _row(*place.folder.space())]}
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
    return {"mount": shown(mount)} | _row(usage.total, usage.used, usage.free)


def _row(total: int, used: int, free: int) -> dict[str, Any]:
    # as a person sees it: of what is used and what is free to us, not of what the system keeps back
    percent = 100 * used / (used + free) if used + free else 0.0
    return {"total_bytes": total, "used_bytes": used, "free_bytes": free, "percent": round(percent, 1)}


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
