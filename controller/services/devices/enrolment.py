"""Keys of devices: which of them sign what they say, and what was said in their name without it."""

import hashlib
import logging
from datetime import datetime

from sqlmodel import Session, col, select, update

from controller.services import audit, events, names
from controller.services.actors import Actor
from controller.services.devices.registry import find, get
from controller.services.devices.status import UNSIGNED_FORBIDDEN, DeviceStatus, let_in
from controller.store import notices
from controller.store.tables import Device
from schemas.events import Event, Severity
from schemas.topics import with_article
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)

BAD_SIGNATURE = "bad_signature"


def enrol(session: Session, device_id: str, public_key: str, *, actor: Actor | None, now: datetime) -> Device:
    """From now on only what is signed with this key is this device's word.

    Raises:
        UnknownDevice: it has no place here.
        AlreadyExists: it has a user's name.
    """
    row = check_enrolment(session, device_id)
    row.public_key, row.enrolled_at, row.updated_at = public_key, now, now
    let_in(row, now=now)
    audit.record(session, "device.enrolled", now=now, actor=actor, device_id=device_id)
    notices.announce(session, notices.KeyChanged(device_id, public_key))
    return row


def check_enrolment(session: Session, device_id: str) -> Device:
    """The device, if it may be given a key; raises what `enrol` would."""
    row = get(session, device_id)
    names.check_device(session, device_id)
    return row


def forget_key(session: Session, row: Device) -> None:
    """What the device signs with counts no more; nothing else of it counts either, until it joins again."""
    row.public_key = row.enrolled_at = None
    notices.announce(session, notices.KeyChanged(row.device_id, None))


def drop_enrolment(session: Session, device_id: str, *, now: datetime) -> None:
    """The broker has no name for this device: its key, taken in a moment ago, is of no use."""
    if (row := find(session, device_id)) is not None:
        forget_key(session, row)
        audit.record(session, "device.enrolment_dropped", now=now, device_id=device_id)


def forbid_unsigned(session: Session) -> None:
    """At the start of a controller that hears no device that does not sign: none of them is there."""
    away = {
        "status": DeviceStatus.OFFLINE.value,
        "status_reason": UNSIGNED_FORBIDDEN,
        "silent_since": None,
    }
    session.execute(update(Device).where(col(Device.public_key).is_(None)).values(away))


def public_keys(session: Session) -> dict[str, str | None]:
    """The key of each device that has a place here; None: it does not sign."""
    # `.all()`: dict() would take the result itself for a mapping, since it has keys
    return dict(session.exec(select(Device.device_id, Device.public_key)).all())


def note_forgery(session: Session, device_id: str, *, kind: str, reason: str, now: datetime) -> None:
    """Somebody spoke as an enrolled device and could not sign for it: told once an hour and kind."""
    if find(session, device_id) is None:
        return
    told = hashlib.sha256(f"{device_id}\n{kind}\n{now:%Y-%m-%dT%H}".encode()).hexdigest()[:32]
    data: JsonObject = {"code": BAD_SIGNATURE, "kind": kind, "reason": reason}
    event = Event(
        id=f"bad-signature-{told}", type="error_occurred", severity=Severity.CRITICAL, data=data, at=now
    )
    if events.store(session, device_id, event, now=now):
        audit.record(session, "device.bad_signature", now=now, device_id=device_id, detail=data)
        logger.error("%s of %s was refused: %s", with_article(kind).capitalize(), device_id, reason)
