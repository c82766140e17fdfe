"""Heartbeats of the present life: the latest figures, the device's pace, and its clock.

Only live ones come here: a retained heartbeat proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy.orm import QueryableAttribute, defer
from sqlmodel import Session, col, select

from controller.services import audit
from controller.services.devices import clocks, status
from controller.services.devices.registry import profile_of
from controller.services.devices.status import DeviceStatus
from controller.store import notices
from controller.store.tables import Device
from schemas.devices import Heartbeat
from schemas.wire import JsonObject

_PROFILE = cast("QueryableAttribute[str | None]", Device.profile)  # the column, where the class has it
SLOWEST = 600.0  # seconds between two heartbeats of one device that are still taken for its pace


@dataclass(frozen=True, slots=True)
class Beat:
    """A live heartbeat as it came: whose, and when."""

    device_id: str
    heartbeat: Heartbeat
    at: datetime


def store_heartbeat(
    session: Session,
    device_id: str,
    heartbeat: Heartbeat,
    *,
    now: datetime,
    max_skew_s: float = clocks.MAX_SKEW,
) -> Device | None:
    """Keep what one live heartbeat tells. `now` is when it was received.

    The row, if it brought the device back to be sent commands; else None.
    """
    back = store_heartbeats(session, [Beat(device_id, heartbeat, now)], max_skew_s=max_skew_s)
    return back[0] if back else None


def store_heartbeats(
    session: Session, beats: Sequence[Beat], *, max_skew_s: float = clocks.MAX_SKEW
) -> list[Device]:
    """Keep what live heartbeats tell; the devices that may be sent commands again by them."""
    wanted = select(Device).where(col(Device.device_id).in_({beat.device_id for beat in beats}))
    # a profile is long, and a heartbeat mostly does not need it
    rows = {row.device_id: row for row in session.exec(wanted.options(defer(_PROFILE)))}
    back: list[Device] = []
    taken: list[tuple[str, Heartbeat, datetime]] = []
    for beat in beats:
        row = rows.get(beat.device_id)
        if row is None or row.boot_id != beat.heartbeat.boot_id:
            continue
        if _take(session, row, beat, max_skew_s):
            back.append(row)
        taken.append((beat.device_id, beat.heartbeat, beat.at))
    if taken:
        notices.announce(session, notices.HeartbeatsTaken(tuple(taken)))
    return back


def _take(session: Session, row: Device, beat: Beat, max_skew_s: float) -> bool:
    """Note one heartbeat; whether the device is back by it."""
    heartbeat, now = beat.heartbeat, beat.at
    skews = clocks.measured(row, heartbeat, received_at=now)
    row.pulse = {"every_s": _pace(row, heartbeat, now), "skews": skews}
    row.heartbeat, row.last_heartbeat, row.last_seen_at = heartbeat.to_json(), now, now
    clocks.judge(session, row, skews, now=now, max_skew_s=max_skew_s)
    if row.status == DeviceStatus.ONLINE:
        row.silent_since = now
        return False
    return _was_only_unheard(row) and _revive(session, row, now=now)


def _was_only_unheard(row: Device) -> bool:
    """Whether this life said `online`, never said otherwise, and we had lost sight of it."""
    if row.suspended_until is not None:  # it was said before it was shut out
        return False
    return row.status == DeviceStatus.STALE or (
        row.status == DeviceStatus.OFFLINE and row.status_reason in status.OUR_REASONS
    )


def _revive(session: Session, row: Device, *, now: datetime) -> bool:
    if row.status == DeviceStatus.STALE:
        audit.record(session, "device.heard_again", now=now, device_id=row.device_id)
    row.status_reason = None
    profile = profile_of(row)
    same_life = profile is not None and profile.boot_id == row.boot_id
    status.settle(session, row, DeviceStatus.ONLINE if same_life else DeviceStatus.ARRIVING, now=now)
    return same_life


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
