"""The commands of one order to a group, counted and found by what their rows say.

Nothing about them is kept anywhere else, so nothing is forgotten when a program dies.
One that its pace holds back is queued, was never released and waits for no other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, or_
from sqlmodel import Session, col, select

from controller.services import orders
from controller.services.devices.status import OUR_REASONS, DeviceStatus
from controller.services.orders import Status
from controller.store.tables import Device, ToolExecution

AT_A_TIME = 200  # rows

# a device that was online until we or the broker started anew, or that is just coming
_UNHEARD = select(Device.device_id).where(
    or_(
        col(Device.status) == DeviceStatus.ARRIVING.value,
        and_(
            col(Device.status) == DeviceStatus.OFFLINE.value,
            col(Device.status_reason).in_(sorted(OUR_REASONS)),
        ),
    )
)
_STOPPABLE = (Status.AWAITING_APPROVAL, Status.WAITING, Status.QUEUED)


@dataclass(frozen=True, slots=True)
class Tally:
    """How far an order to a group is."""

    by_status: dict[Status, int]
    held: int
    in_flight: int

    @property
    def total(self) -> int:
        return sum(self.by_status.values())

    @property
    def open(self) -> int:
        """Those that have not ended, the waiting ones among them."""
        return sum(number for status, number in self.by_status.items() if not status.is_final)

    @property
    def failures(self) -> int:
        return sum(number for status, number in self.by_status.items() if status in orders.FAILURES)

    def of(self, status: Status) -> int:
        return self.by_status.get(status, 0)

    def counts(self) -> dict[str, int]:
        """As it is shown and stored."""
        ends = {status.value: self.of(status) for status in Status if status.is_final}
        return {"total": self.total, "open": self.open, "waiting": self.of(Status.WAITING), **ends}


def is_held(row: ToolExecution) -> bool:
    """Whether a command of a group is still held back by the pace of it."""
    return (
        row.parent_id is not None
        and row.status == Status.QUEUED
        and row.released_at is None
        and row.follows is None
    )


def tally(session: Session, parent_id: str) -> Tally:
    """Count them, in one query."""
    moving = or_(col(ToolExecution.released_at).is_not(None), col(ToolExecution.follows).is_not(None))
    query = (
        select(ToolExecution.status, func.count(), func.count(case((moving, 1))))
        .where(ToolExecution.parent_id == parent_id)
        .group_by(col(ToolExecution.status))
    )
    by_status: dict[Status, int] = {}
    held = in_flight = 0
    for value, number, have_moved in session.exec(query):
        status = Status(value)
        by_status[status] = number
        if status is Status.QUEUED:
            held, in_flight = number - have_moved, in_flight + have_moved
        elif status in orders.ON_THE_WAY:
            in_flight += number
    return Tally(by_status, held, in_flight)


def held(session: Session, parent_id: str, *, most: int | None, all_of_them: bool) -> Iterator[ToolExecution]:
    """Those that are held back, by device; so many at most are wanted of them.

    Not `all_of_them`: without those whose device has not said yet whether it is there.
    """
    wanted = _is_held() if all_of_them else (*_is_held(), col(ToolExecution.device_id).not_in(_UNHEARD))
    yield from _found(session, parent_id, wanted, at_a_time=min(most or AT_A_TIME, AT_A_TIME))


def any_unheard(session: Session, parent_id: str) -> bool:
    """Whether one is held back whose device has not said yet whether it is there."""
    query = select(ToolExecution.id).where(
        ToolExecution.parent_id == parent_id, *_is_held(), col(ToolExecution.device_id).in_(_UNHEARD)
    )
    return session.exec(query.limit(1)).first() is not None


def not_left(session: Session, parent_id: str) -> Iterator[ToolExecution]:
    """The open ones that surely have not left, by device."""
    surely = (
        col(ToolExecution.status).in_([status.value for status in _STOPPABLE]),
        col(ToolExecution.released_at).is_(None),
    )
    yield from _found(session, parent_id, surely)


def still_open(session: Session, parent_id: str) -> Iterator[ToolExecution]:
    """Those that have not ended, by device."""
    yield from _found(
        session, parent_id, (col(ToolExecution.status).in_([status.value for status in orders.OPEN]),)
    )


def overdue(session: Session, parent_id: str, *, now: datetime) -> Iterator[ToolExecution]:
    """Those that are held back and past the time until which they might leave."""
    yield from _found(session, parent_id, (*_is_held(), col(ToolExecution.expires_at) <= now))


def first_bad(session: Session, parent_id: str) -> ToolExecution | None:
    """The first, by device, that ended and did not succeed; one that failed before one that was not run."""
    query = (
        select(ToolExecution)
        .where(ToolExecution.parent_id == parent_id, col(ToolExecution.success).is_(False))
        .order_by(col(ToolExecution.status) == Status.CANCELLED.value, col(ToolExecution.device_id))
    )
    return session.exec(query.limit(1)).first()


def _is_held() -> tuple[ColumnElement[bool], ...]:
    return (
        col(ToolExecution.status) == Status.QUEUED.value,
        col(ToolExecution.released_at).is_(None),
        col(ToolExecution.follows).is_(None),
    )


def _found(
    session: Session, parent_id: str, wanted: tuple[ColumnElement[bool], ...], *, at_a_time: int = AT_A_TIME
) -> Iterator[ToolExecution]:
    """The wanted ones, a part at a time: what happens to one part may change what the next holds."""
    after = ""
    while True:
        query = select(ToolExecution).where(
            ToolExecution.parent_id == parent_id, col(ToolExecution.device_id) > after, *wanted
        )
        part = list(session.exec(query.order_by(col(ToolExecution.device_id)).limit(at_a_time)))
        yield from part
        if len(part) < at_a_time:
            return
        after = part[-1].device_id
