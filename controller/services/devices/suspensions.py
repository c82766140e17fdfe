"""Devices that are shut out for a while because they send too much.

What is stored counts: whoever acts on the broker does it again until it is so, in this life
of the controller or in the next.
"""

import logging
from datetime import datetime, timedelta

from sqlmodel import Session, col, not_, select, update

from controller.errors import NotShutOut
from controller.services import audit, events
from controller.services.actors import Actor
from controller.services.devices import status
from controller.services.devices.registry import find, get
from controller.services.devices.status import DeviceStatus
from controller.store import notices
from controller.store.tables import Device, EventRow
from schemas.events import Event, Severity
from schemas.ids import new_id
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)

RATE_LIMITED = "rate_limited"
_PREFIX = "rate-limited-"  # of our own events: a device may send some of that type itself


def suspended(session: Session) -> dict[str, datetime]:
    """Who is shut out, and until when; also those whose time is over and who were not let in yet."""
    shut_out = select(Device.device_id, Device.suspended_until).where(
        col(Device.suspended_until).is_not(None)
    )
    return {device_id: until for device_id, until in session.exec(shut_out) if until is not None}


def suspend(
    session: Session, device_id: str, *, pause_s: float, figures: JsonObject, now: datetime
) -> datetime | None:
    """Shut a device out for a while, with an event; until when. None: it has no place here, or was revoked.

    A device that is shut out already stays so for as long as was said.
    """
    row = find(session, device_id)
    if row is not None and status.is_revoked(row):
        return None
    if row is None or row.suspended_until is not None:
        return None if row is None else row.suspended_until
    row.suspended_until = until = now + timedelta(seconds=pause_s)
    row.status_reason = status.SENT_TOO_MUCH
    status.settle(session, row, DeviceStatus.OFFLINE, now=now)
    event = Event(
        id=f"{_PREFIX}{new_id()}",
        type=RATE_LIMITED,
        severity=Severity.ERROR,
        data={**figures, "pause_s": pause_s},
        at=now,
    )
    events.store(session, device_id, event, now=now)
    audit.record(
        session, "device.suspended", now=now, device_id=device_id, detail={**figures, "pause_s": pause_s}
    )
    logger.error("Device %s sends too much and is shut out for %.0f s: %s", device_id, pause_s, figures)
    return until


def put_out(session: Session, device_id: str, *, now: datetime) -> str | None:
    """Note that a device's session has ended, whatever it said right before; the life that ended so, if any."""
    row = find(session, device_id)
    if row is None or row.suspended_until is None:
        return None
    if row.status != DeviceStatus.OFFLINE:
        row.status_reason = status.SENT_TOO_MUCH
        status.settle(session, row, DeviceStatus.OFFLINE, now=now)
    return row.boot_id


def check_shut_out(session: Session, device_id: str) -> None:
    """Nothing, for a device that is shut out.

    Raises:
        UnknownDevice: it has no place here.
        NotShutOut: it is not.
    """
    if get(session, device_id).suspended_until is None:
        raise NotShutOut(device_id)


def resume(session: Session, device_id: str, *, actor: Actor | None, now: datetime) -> None:
    """Note that a device is let in again; `actor`: who did that before its time. What was told of it is over."""
    row = find(session, device_id)
    if row is None or row.suspended_until is None:
        return
    row.suspended_until = None
    notices.announce(session, notices.PlaceChanged(row))
    told = update(EventRow).where(
        col(EventRow.id).between(_PREFIX, _PREFIX + "~"),
        col(EventRow.device_id) == device_id,
        not_(col(EventRow.resolved)),  # in the words of the index that has only these
    )
    session.execute(told.values(resolved=True, resolved_at=now))
    audit.record(session, "device.resumed", now=now, actor=actor, device_id=device_id)
    logger.info("Device %s may connect again", device_id)
