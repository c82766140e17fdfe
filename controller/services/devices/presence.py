"""What profiles and presences say of a device's life, whatever order they arrive in."""

from datetime import datetime

from sqlmodel import Session, col, update

from controller.services.devices import conflicts, lives, silence, status
from controller.services.devices.registry import adopt, find, profile_of
from controller.services.devices.status import DeviceStatus
from controller.store import notices
from controller.store.tables import Device
from schemas.devices import Presence, Profile

MAX_REASON = 100  # characters of a device's own words


def store_profile(session: Session, device_id: str, profile: Profile, *, now: datetime) -> Device | None:
    """Keep what a device says it is. None: it has no place here, or a life that is over said it again."""
    row = find(session, device_id)
    if row is None or lives.is_repeated(row, profile):
        return None
    encoded = profile.encode().decode()
    if encoded != row.profile:  # a retained one that comes again is no sign of life
        row.last_seen_at = now
    row.profile = encoded
    row.hostname, row.capabilities = profile.hostname, dict(profile.capabilities or {})
    row.os_type = profile.os.type if profile.os else None
    row.os_version = profile.os.version if profile.os else None
    hardware = profile.hardware
    row.cpu_info = hardware.cpu if hardware else None
    row.ram_gb = hardware.ram_gb if hardware else None
    row.disk_gb = hardware.disk_gb if hardware else None
    row.updated_at = now
    notices.announce(session, notices.PlaceChanged(row))
    if row.adopt_first:
        adopt(session, device_id, actor=None, now=now)
    if row.status in (DeviceStatus.ARRIVING, DeviceStatus.ONLINE):
        status.settle(session, row, _alive(row, profile), now=now)
    return row


def store_presence(
    session: Session, device_id: str, presence: Presence, *, now: datetime, retained: bool = False
) -> Device | None:
    """Move a device's state on its own word. None: it has no place here.

    `retained`: the broker told it from its store, which proves no life of this moment.
    """
    row = find(session, device_id)
    if row is None:
        return None
    profile = profile_of(row)
    if presence.state == "offline":
        if not lives.is_late_will(row, profile, presence):
            lives.begin(row, presence.boot_id)
            row.status_reason = presence.reason[:MAX_REASON] if presence.reason else None
            status.settle(session, row, DeviceStatus.OFFLINE, now=now)
        return row
    if lives.is_repeated(row, presence) or (retained and _was_said_before_revocation(row, presence)):
        return row
    if retained and _is_outlived(row, presence):
        silence.doubt(session, row, now=now)
        return row
    conflicts.look(session, row, presence, now=now)
    lives.begin(row, presence.boot_id)
    same_life = profile is not None and profile.boot_id == presence.boot_id
    lives.remember(row, presence, hostname=row.hostname if same_life else None, now=now)
    row.status_reason = None
    if not retained or row.last_seen_at is None:
        row.last_seen_at = now
    status.settle(session, row, _alive(row, profile), now=now)
    return row


def nobody_is_known_online(session: Session, *, reason: str = status.CONTROLLER_RESTARTED) -> None:
    """What was stored is no evidence: at a controller's start, and when the broker forgot everything."""
    living = (DeviceStatus.ONLINE.value, DeviceStatus.ARRIVING.value)
    unknown = {"status": DeviceStatus.OFFLINE.value, "status_reason": reason, "silent_since": None}
    session.exec(update(Device).where(col(Device.status).in_(living)).values(unknown))
    notices.announce(session, notices.LivesForgotten())


def _alive(row: Device, profile: Profile | None) -> DeviceStatus:
    same_life = profile is not None and profile.boot_id == row.boot_id
    return DeviceStatus.ONLINE if same_life else DeviceStatus.ARRIVING


def _was_said_before_revocation(row: Device, presence: Presence) -> bool:
    """Whether the broker kept the `online` of somebody who is shut out since."""
    return status.is_revoked(row) and presence.boot_id == row.boot_id


def _is_outlived(row: Device, presence: Presence) -> bool:
    """Whether a stored `online` was followed by an end that is known, in a life that beats.

    A broker that was killed may bring it back. One that beats will be heard if it lives;
    one that does not is believed, for nothing better is known of it.
    """
    known = lives.said_online(row, presence.boot_id)
    ended = row.status == DeviceStatus.STALE or (
        row.status == DeviceStatus.OFFLINE and row.status_reason not in status.OUR_REASONS
    )
    repeated = row.boot_id == presence.boot_id and known is not None and presence.at <= known
    return repeated and ended and row.last_heartbeat is not None
