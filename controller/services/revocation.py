"""A device that is not let in any more: its place stays, and nothing waits for it."""

from datetime import datetime

from sqlmodel import Session

from controller.services import audit, commands, devices, invitations, names
from controller.services.actors import Actor
from controller.store.tables import Device


def revoke(session: Session, device_id: str, *, actor: Actor, now: datetime) -> Device:
    """Believe nothing of a device, send it nothing, and void the codes that would let it in again.

    What waits for it is denied. Its session and its rights at the broker are another matter.

    Raises:
        UnknownDevice: it has no place here.
    """
    row = devices.get(session, device_id)
    devices.forget_key(session, row)
    devices.mark_revoked(session, row, now=now)
    invitations.void(session, device_id, now=now)
    audit.record(session, "device.revoked", now=now, actor=actor, device_id=device_id)
    commands.withdraw(session, device_id, now=now)
    return row


def check_rotation(session: Session, device_id: str) -> Device:
    """The device that is to have another password, if it may.

    Raises:
        UnknownDevice: it has no place here.
        AlreadyExists: it has a user's name.
    """
    row = devices.get(session, device_id)
    names.check_device(session, device_id)
    return row


def note_rotation(session: Session, device_id: str, *, actor: Actor, now: datetime) -> Device:
    """A device has another password; one that was revoked is let in again with it.

    Raises:
        UnknownDevice: it has no place here.
        AlreadyExists: it has a user's name.
    """
    row = check_rotation(session, device_id)
    devices.let_in(row, now=now)
    audit.record(session, "device.rotated", now=now, actor=actor, device_id=device_id)
    return row
