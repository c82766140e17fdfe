"""What the broker and the device say of a command that has left.

Late, repeated, contradictory and out-of-order words all come here; a final status stays.
"""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Session

from controller.services import audit, events, orders
from controller.services.orders import Status
from controller.services.settling.moving import finish
from controller.store import notices
from controller.store.tables import ToolExecution
from schemas.commands import Reply, ReplyStatus
from schemas.errors import ErrorCode
from schemas.events import Event, Severity
from schemas.wire import JsonObject

NEVER_SETTLED_BY = frozenset({ErrorCode.BAD_SIGNATURE, ErrorCode.REPLAYED})  # they speak of one arrival


class Settled(StrEnum):
    """What a reply did."""

    MOVED = "moved"
    NOTHING = "nothing"  # late, repeated or out of order: true or moot, either way stored
    REFUSED = "refused"  # not this device's command


def published(session: Session, command_id: str, *, attempt: int, now: datetime) -> None:
    """Note that the broker took the command."""
    row = session.get(ToolExecution, command_id)
    if row is None:
        return
    row.attempt = max(row.attempt, attempt)
    _note_leaving(session, row, now=now)
    if row.status == Status.QUEUED:
        row.status = Status.SENT.value
        notices.announce(session, notices.CommandChanged(row, final=False))


def settle(session: Session, device_id: str, reply: Reply, *, now: datetime) -> Settled:
    """Take a device's word on a command; repeated, late and contradictory words change nothing."""
    row = session.get(ToolExecution, reply.command_id)
    if row is None or row.device_id != device_id:
        detail: JsonObject = {"status": reply.status.value, "command_id": reply.command_id}
        audit.record(session, "reply.refused", now=now, device_id=device_id, detail=detail)
        return Settled.REFUSED
    if reply.error is not None and reply.error.code in NEVER_SETTLED_BY:
        if Status(row.status) in orders.ON_THE_WAY:
            row.error = reply.error.to_json()  # the cause that is told if nothing better comes
        audit.record(session, f"reply.{reply.error.code}", now=now, command=row)
        events.store(session, device_id, _refusal_of(row, reply.error.code, now=now), now=now)
        return Settled.NOTHING
    status = orders.after(Status(row.status), reply.status)
    if status is None or row.released_at is None:  # nobody can have answered what has not left
        _note_contradiction(session, row, reply, now=now)
        return Settled.NOTHING
    row.accepted_at = row.accepted_at or now
    row.attempt = max(row.attempt, 1)
    _note_leaving(session, row, now=now)  # so it did reach its device
    if status.is_final:
        row.executed_at = row.executed_at or reply.at
        finish(
            session,
            row,
            status,
            now=now,
            result=reply.result,
            error=reply.error,
            duration_ms=reply.duration_ms,
        )
        return Settled.MOVED
    row.status, row.executed_at = status.value, row.executed_at or reply.at
    row.progress = reply.progress if reply.status is ReplyStatus.PROGRESS else row.progress
    notices.announce(session, notices.CommandChanged(row, final=False))
    return Settled.MOVED


def _note_leaving(session: Session, row: ToolExecution, *, now: datetime) -> None:
    if row.published_at is None:
        row.published_at = now
        notices.announce(session, notices.CommandLeft(row))


def _refusal_of(row: ToolExecution, code: str, *, now: datetime) -> Event:
    """What somebody should look at: once a command and cause, however often the device says it."""
    return Event(
        id=f"{code}-{row.id}",
        type="error_occurred",
        severity=Severity.ERROR,
        data={"code": code, "command_id": row.id, "tool": row.tool_name},
        at=now,
    )


def _note_contradiction(session: Session, row: ToolExecution, reply: Reply, *, now: datetime) -> None:
    if reply.status.is_final and reply.status.value != row.status:
        detail: JsonObject = {"stands": row.status, "said": reply.status.value}
        audit.record(session, "reply.contradicts", now=now, command=row, detail=detail)
