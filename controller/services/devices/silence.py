"""A device whose heartbeats stopped and that never said that it goes is stale.

Nobody is judged by silence that the controller did not listen to, nor a device that
has sent no heartbeat in its present life.
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from sqlmodel import Session, col, select

from controller.services import audit
from controller.services.devices import status
from controller.services.devices.status import DeviceStatus
from controller.store.tables import Device
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)

MISSED = 3  # heartbeats
AT_ONCE = 500  # devices in one transaction: a network that goes away takes all of its devices along
LEAST = 10.0  # seconds of silence that prove nothing, however often a device beats: heartbeats are stored in batches


def silent(session: Session, *, now: datetime, heartbeat_s: float, listening_since: datetime) -> bool:
    """Whether `call_stale` has anything to do; asked beside the writer."""
    return any(_silent(session, now, heartbeat_s, listening_since))


def call_stale(session: Session, *, now: datetime, heartbeat_s: float, listening_since: datetime) -> None:
    """Mark who has missed three heartbeats in a row since anybody listened; of very many, some.

    A device that beats slower than `heartbeat_s` is judged by its own pace, once two
    of its heartbeats have told it.
    """
    for key in list(islice(_silent(session, now, heartbeat_s, listening_since), AT_ONCE)):
        if (row := session.get(Device, key)) is not None:
            doubt(session, row, now=now)


def doubt(session: Session, row: Device, *, now: datetime) -> None:
    """Call a device stale; its next live heartbeat makes it online again."""
    if row.status != DeviceStatus.STALE:
        silence = (now - row.last_seen_at).total_seconds() if row.last_seen_at else None
        detail: JsonObject = {"silent_s": round(silence) if silence is not None else None}
        audit.record(session, "device.stale", now=now, device_id=row.device_id, detail=detail)
        logger.warning("Device %s is stale: no sign of life for %.0f s", row.device_id, silence or 0)
    row.status_reason = None
    status.settle(session, row, DeviceStatus.STALE, now=now)


def _silent(session: Session, now: datetime, heartbeat_s: float, listening_since: datetime) -> Iterator[str]:
    """Keys of the rows, without the rows: a profile is long."""
    soonest = now - _patience(heartbeat_s)
    if listening_since >= soonest:
        return
    looked_at = select(Device.id, Device.silent_since, Device.pulse)
    for key, last, pulse in session.exec(looked_at.where(col(Device.silent_since) < soonest)):
        since = max(last or now, listening_since)
        every_s: float = (pulse or {}).get("every_s") or 0.0
        if now - since > _patience(max(heartbeat_s, every_s)):
            yield key


def _patience(every_s: float) -> timedelta:
    return timedelta(seconds=max(LEAST, MISSED * every_s))
