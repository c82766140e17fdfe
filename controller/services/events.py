"""What devices noticed: each event is stored once, however often it arrives."""

from datetime import datetime

from sqlmodel import Session, col, select

from controller.services import audit
from controller.store.tables import EventRow
from schemas.events import Event, Severity


def store(session: Session, device_id: str, event: Event, *, now: datetime) -> bool:
    """Keep an event and resolve the one it names. False: it was here already."""
    if session.get(EventRow, (event.id, device_id)) is not None:
        return False
    session.add(
        EventRow(
            id=event.id,
            device_id=device_id,
            event_type=event.type,
            severity=event.severity.value,
            data=event.data,
            created_at=event.at,
            received_at=now,
        )
    )
    if event.resolves is not None:
        resolve(session, device_id, event.resolves, now=now)
    audit.record(session, f"event.{event.severity.value}", now=now, device_id=device_id)
    return True


def resolve(session: Session, device_id: str, event_id: str, *, now: datetime) -> None:
    """Mark an event of the same device as over; an unknown one is nothing to resolve."""
    row = session.get(EventRow, (event_id, device_id))
    if row is not None and not row.resolved:
        row.resolved, row.resolved_at = True, now


def recent(
    session: Session,
    *,
    limit: int = 100,
    device_id: str | None = None,
    event_type: str | None = None,
    severity: Severity | None = None,
    unresolved: bool = False,
) -> list[EventRow]:
    """The newest events, newest first; `unresolved`: only those that are not over."""
    query = select(EventRow).order_by(col(EventRow.received_at).desc()).limit(limit)
    if device_id is not None:
        query = query.where(EventRow.device_id == device_id)
    if event_type is not None:
        query = query.where(EventRow.event_type == event_type)
    if severity is not None:
        query = query.where(EventRow.severity == severity.value)
    if unresolved:
        query = query.where(col(EventRow.resolved).is_(False))
    return list(session.exec(query))
