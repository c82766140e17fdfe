"""Two programs with one id: each connects, and thereby ends the other's session.

It shows when a life that a later one followed comes back with something newer to say.
Commands go on: whichever of the two is connected answers. A person has to end one; when
neither has come back for a while, it is over.
"""

import hashlib
import logging
from datetime import datetime, timedelta

from sqlmodel import Session, col, not_, select, update
from sqlmodel.sql.expression import SelectOfScalar

from controller.services import audit, events
from controller.services.devices import lives
from controller.services.devices.registry import profile_of
from controller.store.tables import Device, EventRow
from schemas.devices import Presence
from schemas.events import Event, Severity
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)

IDENTITY_CONFLICT = "identity_conflict"
# a program that was put out waits up to 5 minutes before it tries again
QUIET_AFTER = timedelta(minutes=15)


def look(session: Session, row: Device, presence: Presence, *, now: datetime) -> None:
    """Raise an event if this `online` is of a life that another one had followed; once a pair and hour."""
    present = row.boot_id
    if present is None or present == presence.boot_id or lives.said_online(row, presence.boot_id) is None:
        return
    row.doubled_at = now
    pair = sorted((present, presence.boot_id))
    profile = profile_of(row)
    back = profile.hostname if profile and profile.boot_id == presence.boot_id else None
    names = {lives.hostname(row, present), lives.hostname(row, presence.boot_id), back}
    detail: JsonObject = {"boot_ids": [*pair]}
    data: JsonObject = {**detail, "hostnames": [*sorted(name for name in names if name)]}
    event = Event(id=_id(pair, now), type=IDENTITY_CONFLICT, severity=Severity.CRITICAL, data=data, at=now)
    if events.store(session, row.device_id, event, now=now):
        audit.record(session, "device.identity_conflict", now=now, device_id=row.device_id, detail=detail)
        logger.error("Two programs are connecting as %s in turn", row.device_id)
    else:  # told in this hour, and perhaps believed to be over
        again = update(EventRow).where(col(EventRow.id) == event.id, col(EventRow.device_id) == row.device_id)
        session.execute(again.values(resolved=False, resolved_at=None, resolved_by=None))


def over(session: Session, *, now: datetime) -> bool:
    """Whether `end` has anything to do; asked beside the writer."""
    return session.exec(_quiet(now)).first() is not None


def end(session: Session, *, now: datetime) -> None:
    """Resolve the conflicts of devices where no second program has shown for a while."""
    for row in session.exec(_quiet(now)).all():
        row.doubled_at = None
        told = update(EventRow).where(
            col(EventRow.device_id) == row.device_id,
            col(EventRow.event_type) == IDENTITY_CONFLICT,
            not_(col(EventRow.resolved)),  # in the words of the index that has only these
        )
        session.execute(told.values(resolved=True, resolved_at=now))
        audit.record(session, "device.conflict_over", now=now, device_id=row.device_id)


def _quiet(now: datetime) -> SelectOfScalar[Device]:
    return select(Device).where(col(Device.doubled_at) < now - QUIET_AFTER)


def _id(pair: list[str], now: datetime) -> str:
    told = "\n".join([*pair, f"{now:%Y-%m-%dT%H}"])
    return f"{IDENTITY_CONFLICT.replace('_', '-')}-{hashlib.sha256(told.encode()).hexdigest()[:32]}"
