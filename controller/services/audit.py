"""Who did what. Rows are added, never changed; arguments and texts stay out of the MQTT line."""

from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, col, select

from controller.services import chain
from controller.services.actors import Actor
from controller.store import notices
from controller.store.tables import METADATA, AuditEntry, ToolExecution
from schemas.commands import Via
from schemas.wire import JsonObject, format_instant

SYSTEM = "system"

_ADD = insert(METADATA.tables["audit_log"])


def record(
    session: Session,
    action: str,
    *,
    now: datetime,
    actor: Actor | None = None,
    command: ToolExecution | None = None,
    device_id: str | None = None,
    approval_id: str | None = None,
    trace_id: str | None = None,
    detail: JsonObject | None = None,
) -> None:
    """Add one row to the chain, in the caller's transaction. `detail` must hold no secret."""
    entry: dict[str, Any] = {
        "at": now,
        "actor": actor.user if actor else SYSTEM,
        "via": (actor.via if actor else Via.AUTOMATION).value,
        "action": action,
        "device_id": device_id or (command.device_id if command else None) or None,
        "tool": command.tool_name if command else None,
        "command_id": command.id if command else None,
        "approval_id": approval_id or (command.approval_id if command else None),
        "trace_id": trace_id or (command.trace_id if command else None),
        "detail": detail,
    }
    chain.link(session, entry)
    session.connection().execute(_ADD, entry)  # on the way of every command: not by way of an object
    notices.announce(session, notices.Audited(_line(entry)))


def _line(entry: dict[str, Any]) -> JsonObject:
    line: JsonObject = {"at": format_instant(entry["at"])}
    for name in ("actor", "via", "action", "device_id", "tool", "command_id", "approval_id", "trace_id"):
        if (value := entry[name]) is not None:
            line[name] = value
    return line


def entries(
    session: Session, *, limit: int = 100, device_id: str | None = None, action: str | None = None
) -> list[AuditEntry]:
    """The newest rows, newest first. `action` matches whole words from the left (`command`)."""
    query = select(AuditEntry).order_by(col(AuditEntry.number).desc()).limit(limit)
    if device_id is not None:
        query = query.where(AuditEntry.device_id == device_id)
    if action is not None:
        query = query.where(col(AuditEntry.action).startswith(action, autoescape=True))
    return list(session.exec(query))
