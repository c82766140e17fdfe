"""What the controller answers itself: which devices there are, and how one of them is.

Recorded and audited like a command, so that a conversation's record has no holes.
"""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from controller.services import arguments, audit, devices
from controller.services.actors import Actor
from controller.services.commands import CommandRequest
from controller.services.orders import Status
from controller.services.policy import Verdict
from controller.store.tables import Device, ToolExecution
from schemas import builtin
from schemas.errors import ErrorBody, ErrorCode
from schemas.ids import new_id
from schemas.wire import JsonObject, format_instant

MAX_LISTED = 200


def answers(tool: str) -> bool:
    """Whether the controller answers this tool by itself."""
    return tool in builtin.CONTROLLER_TOOLS


def answer(
    session: Session, request: CommandRequest, *, actor: Actor, now: datetime, trace_id: str
) -> ToolExecution:
    """Look into the registry and keep a record of the look."""
    result: JsonObject | None = None
    error: ErrorBody | None = None
    if request.tool == "list_devices":
        result = _fleet(session)
    elif (row := devices.find(session, request.device_id)) is not None:
        result = _state(row)
    else:
        error = ErrorBody(code=ErrorCode.UNKNOWN_DEVICE, message=f"There is no device {request.device_id!r}.")
    record = ToolExecution(
        id=new_id(),
        session_id=request.session_id,
        device_id=request.device_id,
        tool_name=request.tool,
        parameters=arguments.recordable(request.arguments),
        user_query=request.user_query,
        requested_by=actor.user,
        role=actor.role.value,
        via=actor.via.value,
        trace_id=trace_id,
        decision=Verdict.ALLOW.value,
        reasons=["the controller answers this from its own registry"],
        layers=[{"layer": "controller", "verdict": "allow", "reason": "it only looks into the registry"}],
        risk=builtin.CONTROLLER_TOOLS[request.tool].risk.value,
        status=(Status.FAILED if error else Status.SUCCEEDED).value,
        success=error is None,
        result=result,
        error=error.to_json() if error else None,
        error_message=error.message if error else None,
        timeout_s=0,
        valid_s=0,
        issued_at=now,
        expires_at=now,
        finished_at=now,
    )
    session.add(record)
    audit.record(session, f"command.{record.status}", now=now, actor=actor, command=record)
    return record


def _fleet(session: Session) -> JsonObject:
    rows = devices.every(session)
    shown: list[Any] = [_state(row) for row in rows[:MAX_LISTED]]
    return {"devices": shown, "total": len(rows), "truncated": len(rows) > MAX_LISTED}


def _state(row: Device) -> JsonObject:
    state: JsonObject = {
        "device_id": row.device_id,
        "status": row.status,
        "adopted": row.adopted_at is not None,
    }
    for name, value in (("name", row.name), ("area", row.area), ("os", row.os_type)):
        if value:
            state[name] = value
    if row.last_seen_at is not None:
        state["last_seen_at"] = format_instant(row.last_seen_at)
    beat = row.heartbeat or {}
    for name in ("cpu_percent", "memory_percent", "battery_percent"):
        if name in beat:
            state[name] = beat[name]
    return state
