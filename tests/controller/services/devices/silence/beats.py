"""Heartbeats, and the look at who has not sent one."""

from datetime import datetime

from sqlmodel import Session

from controller.services import devices
from controller.store import notices
from controller.store.tables import Device
from tests.factories import a_heartbeat, later

EVERY = 30.0
SINCE = later(-3600)


def sweep(session: Session, at: float, *, since: datetime = SINCE) -> None:
    due = devices.silent(session, now=later(at), heartbeat_s=EVERY, listening_since=since)
    before = notices.of(session)[:]
    devices.call_stale(session, now=later(at), heartbeat_s=EVERY, listening_since=since)
    assert due == (notices.of(session) != before)


def beat(session: Session, at: float, seq: int = 1, boot_id: str = "boot-1") -> Device | None:
    return devices.store_heartbeat(
        session, "laptop", a_heartbeat(seq, boot_id=boot_id, at=later(at)), now=later(at)
    )


def ready(session: Session) -> list[bool]:
    return [each.ready for each in notices.taken(session) if isinstance(each, notices.DeviceChanged)]
