"""Heartbeats of the present life: the latest figures, the device's pace, and its clock.

Only live ones come here: a retained heartbeat proves nothing.
"""

from datetime import datetime

from sqlmodel import Session

from controller.services import audit
from controller.services.devices import clocks, status
from controller.services.devices.registry import find, profile_of
from controller.services.devices.status import DeviceStatus
from controller.store.tables import Device
from schemas.devices import Heartbeat
from schemas.wire import JsonObject

SLOWEST = 600.0  # seconds between two heartbeats of one device that are still taken for its pace


def store_heartbeat(
    session: Session,
    device_id: str,
    heartbeat: Heartbeat,
    *,
    now: datetime,
    max_skew_s: float = clocks.MAX_SKEW,
) -> Device | None:
    """Keep what a live heartbeat tells. `now` is when it was received.

    The row, if it brought the device back to be sent commands; else None.
    """
    row = find(session, device_id)
    if row is None or row.boot_id != heartbeat.boot_id:
        return None
    skews = clocks.measured(row, heartbeat, received_at=now)
    row.pulse = {"every_s": _pace(row, heartbeat, now), "skews": skews}
    row.heartbeat, row.last_heartbeat, row.last_seen_at = heartbeat.to_json(), now, now
    clocks.judge(session, row, skews, now=now, max_skew_s=max_skew_s)
    if row.status == DeviceStatus.ONLINE:
        row.silent_since = now
    elif _was_only_unheard(row):
        return _revive(session, row, now=now)
    return None


def _was_only_unheard(row: Device) -> bool:
    """Whether this life said `online`, never said otherwise, and we had lost sight of it."""
    return row.status == DeviceStatus.STALE or (
        row.status == DeviceStatus.OFFLINE and row.status_reason in status.OUR_REASONS
    )


def _revive(session: Session, row: Device, *, now: datetime) -> Device | None:
    if row.status == DeviceStatus.STALE:
        audit.record(session, "device.heard_again", now=now, device_id=row.device_id)
    row.status_reason = None
    profile = profile_of(row)
    same_life = profile is not None and profile.boot_id == row.boot_id
    status.settle(session, row, DeviceStatus.ONLINE if same_life else DeviceStatus.ARRIVING, now=now)
    return row if same_life else None


def _pace(row: Device, heartbeat: Heartbeat, now: datetime) -> float | None:
    """Seconds between two heartbeats, measured where nothing but heartbeats came in between."""
    known: float | None = (row.pulse or {}).get("every_s")
    before: JsonObject | None = row.heartbeat
    if before is None or row.last_heartbeat is None or row.silent_since != row.last_heartbeat:
        return known
    missed = heartbeat.seq - int(str(before["seq"]))
    if missed < 1:
        return known
    return min(SLOWEST, (now - row.last_heartbeat).total_seconds() / missed)
