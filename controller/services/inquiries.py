"""What the controller answers itself: which devices there are, how one is, what hangs on it, what is remembered.

Recorded and audited like a command, so that a conversation's record has no holes.
"""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from controller.errors import OrionError, Refused
from controller.services import arguments, audit, devices, links, recollection
from controller.services.actors import Actor
from controller.services.commands import CommandRequest, Origin
from controller.services.orders import Status
from controller.services.policy import Verdict
from controller.services.sight import Sight
from controller.store import notices
from controller.store.tables import Device, ToolExecution
from schemas import builtin
from schemas.devices import Tool
from schemas.errors import ErrorBody
from schemas.ids import new_id
from schemas.wire import JsonObject, format_instant

MAX_LISTED = 200


def answers(tool: str, device_id: str = "") -> bool:
    """Whether the controller answers this call by itself; a device may have a tool of the same name."""
    known = builtin.CONTROLLER_TOOLS.get(tool)
    return known is not None and (not device_id or _takes_a_device(known))


def answer(
    session: Session, request: CommandRequest, *, actor: Actor, now: datetime, origin: Origin
) -> ToolExecution:
    """Look into the registry or the memory, and keep a record of that."""
    result: JsonObject | None = None
    error: ErrorBody | None = None
    refused = False
    try:
        result = _result(session, request, actor=actor, now=now)
    except OrionError as found:
        error, refused = found.body(), isinstance(found, Refused)
    verdict = Verdict.DENY if refused else Verdict.ALLOW
    reason = error.message if error and refused else "the controller answers this from its own records"
    layer = {"layer": "controller", "verdict": verdict.value, "reason": reason}
    status = Status.DENIED if refused else Status.FAILED if error else Status.SUCCEEDED
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
        api_key_id=actor.key.key_id if actor.key else None,
        trace_id=origin.trace_id,
        asked_in=origin.asked_in,
        plan_id=origin.plan_id,
        decision=verdict.value,
        reasons=[reason],
        layers=[layer | ({"code": str(error.code)} if error and refused else {})],
        risk=builtin.CONTROLLER_TOOLS[request.tool].risk.value,
        status=status.value,
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
    notices.announce(session, notices.CommandChanged(record, final=True))
    return record


def _takes_a_device(tool: Tool) -> bool:
    declared = tool.parameters.get("properties")
    return isinstance(declared, dict) and "device_id" in declared


def _result(session: Session, request: CommandRequest, *, actor: Actor, now: datetime) -> JsonObject:
    _check_key(actor, request.tool)
    sight = Sight(session, actor)
    if request.tool == "list_devices":
        return _fleet(session, sight)
    if request.tool == "device_status":
        sight.check(request.device_id)
        return _state(devices.get(session, request.device_id))
    if request.tool == "device_impact":
        return _impact(session, request.device_id, sight)
    return recollection.act(session, request, actor=actor, now=now)


def _check_key(actor: Actor, tool: str) -> None:
    """An API key opens here what it opens elsewhere, whichever way it is asked for."""
    noun = "memory" if tool in recollection.TOOLS else "devices"
    verb = "read" if builtin.CONTROLLER_TOOLS[tool].hints.read_only else "write"
    if actor.key is not None and not actor.key.may(noun, verb):
        raise Refused(f"The API key does not open {noun}:{verb}.")
    if actor.is_narrowed and noun == "memory":
        raise Refused("The API key is for some devices only; what is remembered is of none.")


def _fleet(session: Session, sight: Sight) -> JsonObject:
    rows = [row for row in devices.every(session) if sight.sees(row.device_id)]
    shown: list[Any] = [_state(row) for row in rows[:MAX_LISTED]]
    return {"devices": shown, "total": len(rows), "truncated": len(rows) > MAX_LISTED}


def _impact(session: Session, device_id: str, sight: Sight) -> JsonObject:
    found = links.impact(session, device_id, sight=sight)
    shown: list[Any] = [
        {"device_id": each.device_id, "name": each.name, "kind": each.kind.value, "via": each.via}
        for each in found[:MAX_LISTED]
    ]
    return {"stops": shown, "total": len(found), "truncated": len(found) > MAX_LISTED}


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
