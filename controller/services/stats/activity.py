"""What each device did: its commands and its events, over the window and by period."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import FromClause, Integer, Select, String, column, func, select, true, values
from sqlmodel import Session, col

from controller.services import names
from controller.services.orders import Status
from controller.services.stats.ends import Ends, ended, gathered
from controller.services.stats.window import Window
from controller.store.tables import Device, EventRow, ToolExecution
from controller.store.types import UtcTime

Counts = dict[tuple[str, int], int]

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
        names.check_known(session, device_id)
        ids = [device_id]
    if not ids:
        return []
    places = _places(session, ids)
    latest, by_device = _commands(session, window, ids)
    commands = _commands_by_period(session, window, ids)
    events = _events_by_period(session, window, ids)
    pieces = range(len(window.periods()))
    return [
        Activity(
            device_id=each,
            status=places.get(each, NO_PLACE)[0],
            last_seen_at=places.get(each, NO_PLACE)[1],
            last_command_at=latest.get(each),
            ends=by_device.get(each, Ends({})),
            commands=[commands.get((each, piece), 0) for piece in pieces],
            events=[events.get((each, piece), 0) for piece in pieces],
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


def _commands_by_period(session: Session, window: Window, ids: Sequence[str]) -> Counts:
    device, number, since, until, every = _grid(window, ids)
    status, at = col(ToolExecution.status), col(ToolExecution.finished_at)
    # all that a command can end in: so a period of a device is found in the index, without its other ones
    of_device = (col(ToolExecution.device_id) == device, col(ToolExecution.dry_run).is_(False))
    count = select(func.count()).where(*of_device, status.in_(FINAL), at >= since, at < until)
    return _counts(session, select(device, number, count.scalar_subquery()).select_from(every))


def _events_by_period(session: Session, window: Window, ids: Sequence[str]) -> Counts:
    device, number, since, until, every = _grid(window, ids)
    at = col(EventRow.received_at)
    count = select(func.count()).where(col(EventRow.device_id) == device, at >= since, at < until)
    return _counts(session, select(device, number, count.scalar_subquery()).select_from(every))


def _grid(window: Window, ids: Sequence[str]) -> tuple[Any, Any, Any, Any, FromClause]:
    """Each device with each period: its id, its number, when it begins and ends, and what they are taken from."""
    pieces = [(number, each.since, each.until) for number, each in enumerate(window.periods())]
    begins, ends = column("since", UtcTime), column("until", UtcTime)
    periods = values(column("number", Integer), begins, ends, name="period").data(pieces).cte("periods")
    devices = values(column("id", String), name="device").data([(each,) for each in ids]).cte("devices")
    return devices.c.id, *periods.c, devices.join(periods, true())


def _counts(session: Session, query: Select[Any]) -> Counts:
    return {(device_id, number): count for device_id, number, count in session.execute(query)}
