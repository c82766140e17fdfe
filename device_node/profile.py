"""What the device says it is: built from the system and the owner's policy."""

import importlib.metadata
import platform
import socket
import sys
from datetime import UTC, datetime
from typing import Literal

import psutil

from device_node import tools
from device_node.monitors.readings import readable
from device_node.tools.tool import NodeContext
from schemas.devices import Agent, Hardware, OperatingSystem, Profile

DISTRIBUTION = "orion-control-plane"
GIGABYTE = 1_000_000_000

_SYSTEMS: dict[str, Literal["linux", "windows", "macos"]] = {
    "linux": "linux",
    "win32": "windows",
    "darwin": "macos",
}


def build(device_id: str, boot_id: str, context: NodeContext, *, name: str | None = None) -> Profile:
    """The profile as it stands now. Blocks for a moment: call it in a worker thread.

    The tools are what the owner lets be used; paths and applications are the owner's lists.
    """
    policy = context.policy
    return Profile(
        device_id=device_id,
        boot_id=boot_id,
        tools=tools.offered(policy),
        at=datetime.now(UTC),
        hostname=name or socket.gethostname(),
        os=OperatingSystem(type=_SYSTEMS.get(sys.platform, "other"), version=platform.release() or None),
        agent=Agent(name=DISTRIBUTION, version=_version()),
        hardware=Hardware(
            cpu=platform.processor() or platform.machine() or None,
            ram_gb=readable(lambda: round(psutil.virtual_memory().total / GIGABYTE, 1)),
            disk_gb=readable(lambda: round(psutil.disk_usage(str(context.home)).total / GIGABYTE, 1)),
        ),
        capabilities={"dry_run": True},
        home=str(context.home),
        allowed_paths=list(policy.allowed_paths),
        allowed_apps=sorted(policy.allowed_apps),
    )


def _version() -> str | None:
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return None
