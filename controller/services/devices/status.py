"""What is known of a device's life, as one word, and the sentence for one that is away.

`silent_since` is set exactly while a device is online and has beaten in its present
life: those alone are judged by their heartbeats.
"""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Session

from controller.store import notices
from controller.store.tables import Device

CONTROLLER_RESTARTED = "controller_restarted"
BROKER_RESTARTED = "broker_restarted"
UNSIGNED_FORBIDDEN = "unsigned_and_forbidden"
SENT_TOO_MUCH = "rate_limited"
OUR_REASONS = frozenset(
    {CONTROLLER_RESTARTED, BROKER_RESTARTED, UNSIGNED_FORBIDDEN, SENT_TOO_MUCH}
)  # no word of the device's own
_SHOWN_REASONS = OUR_REASONS | {"connection_lost", "stopped", "sleeping", "update", "revoked"}


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
