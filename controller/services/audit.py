"""Who did what. Rows are added, never changed; arguments and texts stay out of the MQTT line."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, insert
from sqlmodel import Session, col, select

from controller.services import chain, pages
from controller.services.actors import Actor
from controller.services.pages import Order, Page
from controller.store import notices
from controller.store.tables import METADATA, AuditEntry, ToolExecution
from schemas import context
from schemas.commands import Via
from schemas.wire import JsonObject, format_instant

SYSTEM = "system"

_ADD = insert(METADATA.tables["audit_log"])
_ORDER = Order.of("audit", "audit_log", "number")


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
    """Add one row to the chain, in the caller's transaction. `detail` must hold no secret.

    What concerns no command belongs to the trace of the work at hand.
    """
    if actor is not None and actor.key is not None:
        detail = {**(detail or {}), "api_key": actor.key.key_id}
    entry: dict[str, Any] = {
        "at": now,
        "actor": actor.user if actor else SYSTEM,
        "via": (actor.via if actor else Via.AUTOMATION).value,
        "action": action,
        "device_id": device_id or (command.device_id if command else None) or None,
        "tool": command.tool_name if command else None,
        "command_id": command.id if command else None,
        "approval_id": approval_id or (command.approval_id if command else None),
        "trace_id": trace_id or (command.trace_id if command else context.trace_id()),
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
    session: Session,
    *,
    limit: int = 100,
    cursor: str | None = None,
    device_id: str | None = None,
    action: str | None = None,
) -> Page[AuditEntry]:
    """The newest rows, newest first. `action`: how their actions begin, as `command.`.

    Raises:
        InvalidCursor: it is none of this list.
    """
    query = select(AuditEntry)
    if action is not None or device_id is not None:
        own = [] if device_id is None else [col(AuditEntry.device_id) == device_id]
        kinds = [
            and_(col(AuditEntry.action) == each, *own)
            for each in _actions(session, device_id)
            if each.startswith(action or "")
        ]
        query = query.where(pages.newest_of_each(_ORDER, kinds, limit=limit, cursor=cursor))
    return pages.page(session, query, _ORDER, limit=limit, cursor=cursor)


def _actions(session: Session, device_id: str | None) -> Iterable[str]:
    """The actions that there are, or those of one device: some dozens, each found by a step in the index."""
    row = METADATA.tables["audit_log"].c
    own = [] if device_id is None else [row.device_id == device_id]
    steps = select(func.min(row.action).label("action")).where(*own).cte("steps", recursive=True)
    following = select(func.min(row.action)).where(row.action > steps.c.action, *own).scalar_subquery()
    steps = steps.union_all(select(following).where(steps.c.action.is_not(None)))
    return session.connection().execute(select(steps.c.action).where(steps.c.action.is_not(None))).scalars()
