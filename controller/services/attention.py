"""What people make of events: that they have taken note of one, and that it is over.

Who operates the device may say so, once: what was said before stays as it was said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from controller.errors import Refused, UnknownEvent
from controller.services import audit
from controller.services.actors import Actor, Role
from controller.services.sight import Sight
from controller.store.tables import EventRow

ACKNOWLEDGED, RESOLVED = "event.acknowledged", "event.resolved"
MOST = 500  # of one request
AT_A_TIME = 100  # rows of one look-up


@dataclass(frozen=True, slots=True)
class EventName:
    """One event: a device gives an id once, and two devices may give the same one."""

    device_id: str
    event_id: str


def acknowledge(
    session: Session, names: Sequence[EventName], *, actor: Actor, now: datetime
) -> list[EventRow]:
    """Take note of events; all of them, or of none.

    Raises:
        UnknownEvent: there is no such event, or the actor does not see it.
        Refused: the actor does not operate its device.
    """
    return _marked(session, names, _acknowledge, ACKNOWLEDGED, actor=actor, now=now)


def resolve(session: Session, names: Sequence[EventName], *, actor: Actor, now: datetime) -> list[EventRow]:
    """Say that events are over, and by that that somebody took note of them; all of them, or of none.

    Raises:
        UnknownEvent: there is no such event, or the actor does not see it.
        Refused: the actor does not operate its device.
    """
    return _marked(session, names, _resolve, RESOLVED, actor=actor, now=now)


def _acknowledge(row: EventRow, actor: Actor, now: datetime) -> bool:
    if row.acknowledged:
        return False
    row.acknowledged, row.acknowledged_at, row.acknowledged_by = True, now, actor.user
    return True


def _resolve(row: EventRow, actor: Actor, now: datetime) -> bool:
    if row.resolved:
        return False
    _acknowledge(row, actor, now)
    row.resolved, row.resolved_at, row.resolved_by = True, now, actor.user
    return True


def _marked(
    session: Session,
    names: Sequence[EventName],
    mark: Callable[[EventRow, Actor, datetime], bool],
    action: str,
    *,
    actor: Actor,
    now: datetime,
) -> list[EventRow]:
    sight = Sight(session, actor)
    rows = _found(session, names, sight)
    for device_id in {row.device_id for row in rows}:
        if sight.role_on(device_id).rank < Role.OPERATOR.rank:
            raise Refused(f"{actor.user} may only look at {device_id}: its events are its operator's.")
    marked: dict[str, list[str]] = {}
    for row in rows:
        if mark(row, actor, now):
            marked.setdefault(row.device_id, []).append(row.id)
            session.add(row)
    for device_id, ids in marked.items():
        audit.record(session, action, now=now, actor=actor, device_id=device_id, detail={"events": [*ids]})
    return rows


def _found(session: Session, names: Sequence[EventName], sight: Sight) -> list[EventRow]:
    known: dict[EventName, EventRow] = {}
    for start in range(0, len(names), AT_A_TIME):
        ids = {each.event_id for each in names[start : start + AT_A_TIME]}
        for row in session.exec(select(EventRow).where(col(EventRow.id).in_(ids))):
            known[EventName(row.device_id, row.id)] = row
    distinct = dict.fromkeys(names)
    for name in distinct:
        if name not in known or not sight.sees(name.device_id):
            raise UnknownEvent(name.device_id, name.event_id)
    return [known[name] for name in distinct]
