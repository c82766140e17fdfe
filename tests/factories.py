"""Small builders: what a test is about is said in the test, the rest is here."""

from datetime import UTC, datetime, timedelta
from typing import Any

from controller.services import devices
from controller.services.actors import Actor, Role
from controller.services.commands import CommandRequest
from controller.services.policy import PolicyProfile
from controller.store.tables import ToolExecution
from schemas import builtin
from schemas.commands import Reply, ReplyStatus, Via
from schemas.devices import Heartbeat, Presence, Profile, Tool
from schemas.errors import ErrorBody
from schemas.events import Event

NOON = datetime(2026, 2, 12, 12, 0, tzinfo=UTC)
BOOT = "boot-1"

ADMIN = Actor("ada", Role.ADMIN, Via.API)
OPERATOR = Actor("otto", Role.OPERATOR, Via.API)
VIEWER = Actor("vera", Role.VIEWER, Via.API)


def later(seconds: float) -> datetime:
    """Some seconds past noon."""
    return NOON + timedelta(seconds=seconds)


def a_tool(name: str = "pump_start", **fields: Any) -> Tool:
    """A third party's tool; high risk unless said otherwise, as the wire has it."""
    return Tool.model_validate(
        {"name": name, "description": "Starts the pump.", "parameters": {"type": "object"}} | fields,
        strict=False,
    )


def a_profile(device_id: str = "laptop", *, tools: list[Tool] | None = None, **fields: Any) -> Profile:
    """What a node of ours would say, with every built-in tool."""
    offered = list(builtin.TOOLS.values()) if tools is None else tools
    values = {
        "device_id": device_id,
        "boot_id": BOOT,
        "tools": [tool.to_json() for tool in offered],
        "at": NOON,
        "home": "/home/ada",
        "allowed_paths": ["/srv/files"],
        "allowed_apps": ["editor"],
    }
    return Profile.model_validate(values | fields, strict=False)


def a_presence(state: str = "online", boot_id: str = BOOT, **fields: Any) -> Presence:
    """A device's word on its life."""
    return Presence.model_validate({"state": state, "at": NOON, "boot_id": boot_id} | fields)


def a_place(device_id: str = "laptop", **fields: Any) -> devices.NewDevice:
    """A place whose first profile is adopted."""
    values: dict[str, Any] = {"policy": PolicyProfile.ASSIST, "adopt_first": True} | fields
    return devices.NewDevice(device_id=device_id, **values)


def a_request(tool: str = "create_directory", **fields: Any) -> CommandRequest:
    """A harmless command unless the test says otherwise."""
    arguments = fields.pop("arguments", {"path": "Test"} if tool == "create_directory" else {})
    return CommandRequest(fields.pop("device_id", "laptop"), tool, arguments, **fields)


def an_execution(command_id: str, **columns: Any) -> ToolExecution:
    """A command as it is stored, without the services: of what a test needs no history."""
    values: dict[str, Any] = {
        "id": command_id,
        "device_id": "laptop",
        "tool_name": "system_info",
        "parameters": {},
        "requested_by": ADMIN.user,
        "role": ADMIN.role.value,
        "via": ADMIN.via.value,
        "trace_id": command_id,
        "decision": "allow",
        "risk": "low",
        "status": "succeeded",
        "timeout_s": 1.0,
        "valid_s": 1.0,
        "issued_at": NOON,
        "expires_at": NOON,
    }
    return ToolExecution(**values | columns)


def a_reply(command_id: str, status: ReplyStatus = ReplyStatus.SUCCEEDED, **fields: Any) -> Reply:
    """A device's word on a command."""
    return Reply(command_id=command_id, status=status, at=fields.pop("at", NOON), boot_id=BOOT, **fields)


def an_event(event_id: str = "event-1", **fields: Any) -> Event:
    """Something a device noticed."""
    values = {"id": event_id, "type": "low_disk_space", "severity": "warning", "data": {}, "at": NOON}
    return Event.model_validate(values | fields, strict=False)


def a_heartbeat(seq: int = 1, **fields: Any) -> Heartbeat:
    """A sign of life."""
    return Heartbeat.model_validate({"at": NOON, "seq": seq, "boot_id": BOOT} | fields)


def an_error(code: str = "internal", message: str = "It broke.") -> ErrorBody:
    """An error as a device sends it."""
    return ErrorBody(code=code, message=message)
