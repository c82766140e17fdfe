"""The state of system services: systemd, launchd or the services of Windows, read and never changed."""

import sys
from typing import Any

import psutil

from device_node.safety.errors import ToolError
from device_node.tools import programs
from device_node.tools.tool import Call, Result
from schemas.errors import ErrorCode

_WITHIN = 10.0  # seconds
_PROPERTIES = ("LoadState", "ActiveState", "SubState", "UnitFileState", "Description", "MainPID")


def service_status(call: Call) -> Result:
    """Whether a service is installed, running, and started with the system."""
    name = call.text("name")
    if name.startswith("-"):
        raise ToolError(ErrorCode.INVALID_ARGUMENTS, "The name of a service starts with a letter or digit.")
    if sys.platform == "win32":
        return _windows(name)
    if sys.platform == "darwin":
        return _launchd(call, name)
    return _systemd(call, name)


def _systemd(call: Call, name: str) -> Result:
    systemctl = programs.need("systemctl")
    output = programs.run(
        call,
        [systemctl, "show", "--no-pager", f"--property={','.join(_PROPERTIES)}", "--", name],
        within_s=_WITHIN,
    )
    if output.exit_code != 0:
        raise ToolError(
            ErrorCode.NOT_SUPPORTED, f"systemd does not answer here: {output.stderr.strip()[:200]}"
        )
    found = dict(line.split("=", 1) for line in output.stdout.splitlines() if "=" in line)
    if found.get("LoadState") == "not-found":
        raise ToolError(ErrorCode.NOT_FOUND, f"There is no service {name}.")
    pid = found.get("MainPID", "0")
    return {
        "name": name,
        "running": found.get("ActiveState") in ("active", "reloading"),
        "state": found.get("ActiveState", "unknown"),
        "detail": found.get("SubState", ""),
        "starts_with_system": found.get("UnitFileState", "").startswith("enabled"),
        "description": found.get("Description", ""),
        "pid": int(pid) if pid.isdecimal() and pid != "0" else None,
    }


def _launchd(call: Call, name: str) -> Result:
    output = programs.run(call, [programs.need("launchctl"), "list", name], within_s=_WITHIN)
    if output.exit_code != 0:
        raise ToolError(ErrorCode.NOT_FOUND, f"There is no service {name}.")
    pid = next((line for line in output.stdout.splitlines() if '"PID"' in line), "")
    digits = "".join(letter for letter in pid if letter.isdecimal())
    return {
        "name": name,
        "running": bool(digits),
        "state": "active" if digits else "inactive",
        "pid": int(digits) if digits else None,
    }


def _windows(name: str) -> Result:
    get_service: Any = getattr(psutil, "win_service_get", None)
    if get_service is None:
        raise ToolError(ErrorCode.NOT_SUPPORTED, "This device has no services that can be asked.")
    try:
        service = get_service(name).as_dict()
    except psutil.NoSuchProcess:
        raise ToolError(ErrorCode.NOT_FOUND, f"There is no service {name}.") from None
    except psutil.AccessDenied:
        raise ToolError(ErrorCode.PERMISSION_DENIED, f"{name} is closed to the node's user.") from None
    return {
        "name": name,
        "running": service["status"] == "running",
        "state": service["status"],
        "starts_with_system": service["start_type"] == "automatic",
        "description": service["display_name"],
        "pid": service["pid"],
    }
