"""Who did what. Rows are added, never changed; arguments and texts stay out of the MQTT line."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, false, insert, text, union_all
from sqlmodel import Session, col, select

from controller.services import chain, pages
from controller.services.actors import Actor
from controller.services.pages import Order, Page
from controller.store import notices
from controller.store.tables import METADATA, AuditEntry, ToolExecution
from schemas.commands import Via
from schemas.wire import JsonObject, format_instant

SYSTEM = "system"

_ADD = insert(METADATA.tables["audit_log"])
_ORDER = Order.of("audit", "audit_log", "number")
_ACTIONS = text(  # there are some dozens: each is found by a step in the index
    "WITH RECURSIVE kinds(action) AS (SELECT min(action) FROM audit_log UNION ALL "
    "SELECT (SELECT min(audit_log.action) FROM audit_log WHERE audit_log.action > kinds.action) "
    "FROM kinds WHERE kinds.action IS NOT NULL) SELECT action FROM kinds WHERE action IS NOT NULL"
)


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
    within = []  # both together where both are given: of each action only a device's newest rows
    if device_id is not None:
        within.append(col(AuditEntry.device_id) == device_id)
    if cursor is not None:
        within.append(_ORDER.behind(cursor))
    if action is not None:
        query = query.where(_of_kind(session, action, within, limit=limit))
    elif device_id is not None:
        query = query.where(*within)
    return pages.page(session, query, _ORDER, limit=limit, cursor=cursor)


def _of_kind(
    session: Session, beginning: str, within: list[ColumnElement[bool]], *, limit: int
) -> ColumnElement[bool]:
    """The newest rows of each action that begins so: a rare one is not looked for among all of the others."""
    actions = [
        each for each in session.connection().execute(_ACTIONS).scalars() if each.startswith(beginning)
    ]
    number = col(AuditEntry.number)
    newest = [
        select(number).where(AuditEntry.action == each, *within).order_by(number.desc()).limit(limit + 1)
        for each in actions
    ]
    if not newest:
        return false()
    return number.in_(union_all(*(select(each.subquery().c.number) for each in newest)))
