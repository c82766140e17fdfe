"""What is known of a device's life, as one word, and the sentence for one that is away.

`silent_since` is set exactly while a device is online and has beaten in its present
life: those alone are judged by their heartbeats.
"""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from controller.store import notices
from controller.store.tables import Device

CONTROLLER_RESTARTED = "controller_restarted"
BROKER_RESTARTED = "broker_restarted"
UNSIGNED_FORBIDDEN = "unsigned_and_forbidden"
REVOKED = "revoked"
SENT_TOO_MUCH = "rate_limited"
OUR_REASONS = frozenset(
    {CONTROLLER_RESTARTED, BROKER_RESTARTED, UNSIGNED_FORBIDDEN, SENT_TOO_MUCH}
)  # no word of the device's own
_SHOWN_REASONS = OUR_REASONS | {"connection_lost", "stopped", "sleeping", "update", REVOKED}


class DeviceStatus(StrEnum):
    """What is known of a device's life."""

    NEVER_SEEN = "never_seen"
    ARRIVING = "arriving"  # its profile is of another life than its presence
    ONLINE = "online"
    STALE = "stale"  # it never said that it goes, and its heartbeats stopped
    OFFLINE = "offline"


def settle(session: Session, row: Device, status: DeviceStatus, *, now: datetime) -> None:
    """Give a device its status and tell who may be sent commands.

    Announced even when unchanged: a retained presence after a reconnect makes a device ready again.
    """
    row.status = status.value
    beats = status is DeviceStatus.ONLINE and row.last_heartbeat is not None
    row.silent_since = now if beats else None
    notices.announce(session, notices.DeviceChanged(row.device_id, ready=status is DeviceStatus.ONLINE))
    notices.announce(session, notices.PlaceChanged(row))


def is_revoked(row: Device) -> bool:
    """Whether the broker lets it in no more; until it is heard of again."""
    return row.status == DeviceStatus.OFFLINE and row.status_reason == REVOKED


def mark_revoked(session: Session, row: Device, *, now: datetime) -> None:
    """It is not let in any more."""
    row.status_reason, row.adopt_first, row.updated_at = REVOKED, False, now
    row.suspended_until = None  # there is nobody to let in again
    settle(session, row, DeviceStatus.OFFLINE, now=now)


def let_in(row: Device, *, now: datetime) -> None:
    """It may come again, if it was shut out."""
    if is_revoked(row):
        row.status_reason, row.updated_at = None, now


def revoked(session: Session) -> dict[str, str]:
    """The devices that are shut out, with their last life."""
    query = select(Device.device_id, Device.boot_id).where(
        Device.status == DeviceStatus.OFFLINE.value,
        Device.status_reason == REVOKED,
        col(Device.boot_id).is_not(None),
    )
    return {device_id: boot_id for device_id, boot_id in session.exec(query) if boot_id is not None}


def absence(row: Device, *, now: datetime) -> str:
    """Why a device cannot be sent anything, as the beginning of a sentence for a person.

    A reason is named only if it is one of the wire contract's: others are a device's free text.
    """
    name = row.name or row.device_id
    if row.suspended_until is not None and now < row.suspended_until:
        return f"{name} is shut out until {row.suspended_until:%Y-%m-%d %H:%M:%S} UTC: it sends too much"
    if row.status == DeviceStatus.STALE and row.last_seen_at is not None:
        return f"{name} is stale: no sign of life for {(now - row.last_seen_at).total_seconds():.0f} s"
    reason = f" ({row.status_reason.replace('_', ' ')})" if row.status_reason in _SHOWN_REASONS else ""
    seen = f"; last seen {row.last_seen_at:%Y-%m-%d %H:%M} UTC" if row.last_seen_at else ""
    return f"{name} is {row.status.replace('_', ' ')}{reason}{seen}"
