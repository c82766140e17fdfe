"""Devices and users share one name space: at the broker a name is one rights holder's, whoever asks for it."""

from sqlmodel import Session, select

from controller.errors import AlreadyExists, InvalidArguments, UnknownDevice
from controller.store.tables import Device, ToolExecution, User
from schemas.ids import RESERVED


def check_device(session: Session, device_id: str) -> None:
    """Nothing, for a name that a device may have or has. Asked wherever a device is given anything.

    Raises:
        InvalidArguments: the name is kept for controllers or invitations.
        AlreadyExists: a user has it.
    """
    if RESERVED.match(device_id):
        raise InvalidArguments(f"Device ids cannot begin with {device_id.partition('-')[0]}-.")
    if is_users(session, device_id):
        raise AlreadyExists(
            f"There is a user {device_id!r}: users and devices share their names. Choose another id for the device."
        )


def check_known(session: Session, device_id: str) -> None:
    """Refuse a device that never was here: whatever is asked of it would be nothing.

    Raises:
        UnknownDevice: it has no place, and no command to it is on record.
    """
    place = select(Device.device_id).where(Device.device_id == device_id)
    order = select(ToolExecution.device_id).where(ToolExecution.device_id == device_id)
    if session.exec(place.limit(1)).first() is None and session.exec(order.limit(1)).first() is None:
        raise UnknownDevice(device_id)


def is_users(session: Session, name: str) -> bool:
    """Whether a user has this name."""
    return session.get(User, name) is not None
