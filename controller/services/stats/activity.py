"""What each device did: its commands and its events, over the window and by period."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session, col

from controller.services.orders import Status
from controller.services.stats.ends import Ends, check_device, ended, gathered
from controller.services.stats.window import Window
from controller.store.tables import Device, EventRow, ToolExecution

FINAL = [status.value for status in Status if status.is_final]
NO_PLACE: tuple[str | None, datetime | None] = (None, None)  # what is known of one without a place


@dataclass(frozen=True, slots=True)
class Activity:
    """One device. `status` and `last_seen_at` are those of its place; one without a place has none."""

    device_id: str
    status: str | None
    last_seen_at: datetime | None
    last_command_at: datetime | None  # in the window
    ends: Ends
    commands: list[int]  # by period
    events: list[int]


def activity(
    session: Session, window: Window, *, device_id: str | None = None, limit: int = 100
) -> list[Activity]:
    """The devices, those with most commands first: with a place here, or a command in the window.

    Events count at the moment they arrived: a device's own clock may be wrong.

    Raises:
        UnknownDevice: that device never was here.
    """
    if device_id is None:
        ids = _busiest(session, window, limit)
        ids += _idle(session, ids, limit - len(ids))
    else:
        check_device(session, device_id)
        ids = [device_id]
    places = _places(session, ids)
    latest, by_device = _commands(session, window, ids)
    pieces = window.periods()
    commands = [_commands_of(session, piece, ids) for piece in pieces]
    events = [_events_of(session, piece, ids) for piece in pieces]
    return [
        Activity(
            device_id=each,
            status=places.get(each, NO_PLACE)[0],
            last_seen_at=places.get(each, NO_PLACE)[1],
            last_command_at=latest.get(each),
            ends=by_device.get(each, Ends({})),
            commands=[counts.get(each, 0) for counts in commands],
            events=[counts.get(each, 0) for counts in events],
        )
        for each in ids
    ]


def _busiest(session: Session, window: Window, limit: int) -> list[str]:
    device = col(ToolExecution.device_id)
    query = select(device).where(*ended(window)).group_by(device)
    return list(session.scalars(query.order_by(func.count().desc(), device).limit(limit)))


def _idle(session: Session, busy: Sequence[str], limit: int) -> list[str]:
    query = select(col(Device.device_id)).where(col(Device.device_id).not_in(busy))
    return list(session.scalars(query.order_by(col(Device.device_id)).limit(limit)))


def _places(session: Session, ids: Sequence[str]) -> dict[str, tuple[str | None, datetime | None]]:
    query = select(col(Device.device_id), col(Device.status), col(Device.last_seen_at))
    rows = session.execute(query.where(col(Device.device_id).in_(ids)))
    return {device_id: (status, last_seen_at) for device_id, status, last_seen_at in rows}


def _commands(
    session: Session, window: Window, ids: Sequence[str]
) -> tuple[dict[str, datetime], dict[str, Ends]]:
    """When the last command of each ended, and how all of them did."""
    device, status = col(ToolExecution.device_id), col(ToolExecution.status)
    query = select(device, status, func.count(), func.max(col(ToolExecution.finished_at)))
    rows = session.execute(query.where(*ended(window), device.in_(ids)).group_by(device, status)).all()
    latest: dict[str, datetime] = {}
    for device_id, _status, _count, at in rows:
        latest[device_id] = max(at, latest.get(device_id, at))
    return latest, gathered((device_id, end, count) for device_id, end, count, _at in rows)


def _commands_of(session: Session, period: Window, ids: Sequence[str]) -> dict[str, int]:
    device, status = col(ToolExecution.device_id), col(ToolExecution.status)
    # all that a command can end in: so a period is found in the index, device by device
    wanted = (*ended(period), device.in_(ids), status.in_(FINAL))
    rows = session.execute(select(device, func.count()).where(*wanted).group_by(device))
    return dict(rows.all())


def _events_of(session: Session, period: Window, ids: Sequence[str]) -> dict[str, int]:
    device, at = col(EventRow.device_id), col(EventRow.received_at)
    wanted = (device.in_(ids), at >= period.since, at < period.until)
    rows = session.execute(select(device, func.count()).where(*wanted).group_by(device))
    return dict(rows.all())
