"""What devices noticed: each event is stored once, however often it arrives.

An event is its own record: the audit keeps what was decided and done, not what was seen.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, not_, or_, update
from sqlmodel import Session, col, select

from controller.services import pages
from controller.services.pages import Order, Page
from controller.services.sight import Sight
from controller.store import notices, upserts
from controller.store.tables import METADATA, Device, EventRow
from schemas.events import Event, Severity

_EVENTS = METADATA.tables["events"]
_ORDER = Order.of("events", "events", "received_at", "id", "device_id")
_RESOLVE = (
    update(_EVENTS)
    .where(
        _EVENTS.c.id == bindparam("over_id"),
        _EVENTS.c.device_id == bindparam("over_device"),
        _EVENTS.c.resolved.is_(False),
    )
    .values(resolved=True, resolved_at=bindparam("over_at"))
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event as it came: from whom, and when."""

    device_id: str
    event: Event
    at: datetime


def store(session: Session, device_id: str, event: Event, *, now: datetime) -> bool:
    """Keep an event and resolve the one it names. False: it was here already."""
    return store_all(session, [Arrival(device_id, event, now)]) == 1


def store_all(session: Session, arrivals: Sequence[Arrival]) -> int:
    """Keep what is new of many events and resolve what is over; how many were new.

    An event that comes after the one that resolves it is over as it comes. What cannot be
    stored fails the whole: whoever has many gives them again in parts.
    """
    if not arrivals:
        return 0
    session.flush()
    connection = session.connection()
    rows = [row_of(each) for each in arrivals]
    new = upserts.insert_new(connection, _EVENTS, rows)
    if new:
        told = rows if new == len(rows) else _only_new(session, rows)
        notices.announce(session, notices.EventsStored(tuple(told)))
    ids = {each.event.id for each in arrivals}
    either = or_(col(EventRow.id).in_(ids), col(EventRow.resolves).in_(ids))
    said = select(EventRow.device_id, EventRow.resolves).where(either, col(EventRow.resolves).is_not(None))
    if over := connection.execute(said).all():
        ended = [
            {"over_device": device_id, "over_id": each, "over_at": arrivals[-1].at}
            for device_id, each in over
        ]
        connection.execute(_RESOLVE, ended)
    return new


def _only_new(session: Session, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of these that were stored just now: what was here before came at another moment."""
    query = select(EventRow.device_id, EventRow.id, EventRow.received_at)
    kept = set(session.exec(query.where(col(EventRow.id).in_({row["id"] for row in rows}))))
    new = {(row["device_id"], row["id"]): row for row in rows}
    return [row for key, row in new.items() if (*key, row["received_at"]) in kept]


def with_a_place(session: Session, device_ids: Collection[str]) -> frozenset[str]:
    """Those of these devices whose events are kept."""
    return frozenset(session.exec(select(Device.device_id).where(col(Device.device_id).in_(device_ids))))


def row_of(arrival: Arrival) -> dict[str, Any]:
    """An event as its table has it."""
    event = arrival.event
    # what only says that another one is over leaves nothing open itself
    over = event.resolves is not None and event.severity is Severity.INFO
    return {
        "id": event.id,
        "device_id": arrival.device_id,
        "event_type": event.type,
        "severity": event.severity.value,
        "data": event.data,
        "resolves": event.resolves,
        "acknowledged": False,
        "resolved": over,
        "resolved_at": arrival.at if over else None,
        "created_at": event.at,
        "received_at": arrival.at,
    }


def recent(
    session: Session,
    *,
    limit: int = 100,
    cursor: str | None = None,
    device_id: str | None = None,
    event_type: str | None = None,
    severity: Severity | None = None,
    unresolved: bool = False,
    acknowledged: bool | None = None,
    sight: Sight | None = None,
) -> Page[EventRow]:
    """The newest events, newest first; of the devices that somebody sees, or of all for the controller itself.

    `unresolved`: only those that are not over; `acknowledged`: those that somebody took note of, or nobody.

    Raises:
        InvalidCursor: it is none of this list.
    """
    query = select(EventRow)
    if sight is not None:
        query = query.where(sight.among(col(EventRow.device_id)))
    if device_id is not None:
        query = query.where(EventRow.device_id == device_id)
    if event_type is not None:
        query = query.where(EventRow.event_type == event_type)
    if severity is not None:
        query = query.where(EventRow.severity == severity.value)
    if unresolved:
        query = query.where(not_(col(EventRow.resolved)))  # in the words of the index that has only these
    if acknowledged is not None:  # as its index has it
        query = query.where(col(EventRow.acknowledged) if acknowledged else not_(col(EventRow.acknowledged)))
    return pages.page(session, query, _ORDER, limit=limit, cursor=cursor)
