"""Schedules as people keep them: made, looked at, changed, paused, removed.

One's own, an administrator's all; somebody else's is to the others what was never there.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, true
from sqlmodel import Session, col, func, select

from controller.errors import Conflict, UnknownSchedule
from controller.services import audit, pages
from controller.services.actors import Actor, Role, through
from controller.services.pages import Page
from controller.services.schedules import ordering
from controller.services.schedules.missed import Missed
from controller.services.schedules.ordering import Order
from controller.services.schedules.timing import Following
from controller.services.sight import Sight
from controller.store.tables import Schedule
from schemas.commands import Via
from schemas.ids import new_id
from schemas.wire import JsonObject

MOST = 100  # schedules of one user

_ORDER = pages.Order.of("schedules", "schedules", "id")


@dataclass(frozen=True, slots=True)
class Timing:
    """When it runs: a cron on the wall clock of a zone, and what becomes of times that went by."""

    cron: str
    zone: str
    missed: Missed = Missed.ONCE


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A schedule to be made. Without a name it is called after what it does."""

    order: Order
    timing: Timing
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be otherwise; None: as it is."""

    name: str | None = None
    cron: str | None = None
    zone: str | None = None
    missed: Missed | None = None
    arguments: JsonObject | None = None
    valid_s: float | None = None
    when_online: bool | None = None


def add(
    session: Session, wanted: NewSchedule, *, actor: Actor, now: datetime, following: Following
) -> Schedule:
    """Make a schedule of what this actor may order now.

    Raises:
        InvalidArguments: it is no cron, no zone, or nothing that the device can do.
        UnknownDevice, UnknownGroup: there is none, or none that they see.
        Refused: they may not order that.
        Conflict: they have as many as one may have.
    """
    timing = wanted.timing
    ordering.check(session, wanted.order, actor=through(actor, Via.SCHEDULE))
    theirs = select(func.count()).where(col(Schedule.owner) == actor.user)
    if session.exec(theirs).one() >= MOST:
        raise Conflict(f"{actor.user} has {MOST} schedules: remove one first: orion schedules list")
    order = wanted.order
    row = Schedule(
        id=new_id(),
        name=wanted.name or f"{order.request.tool} on {order.group or order.request.device_id}",
        owner=actor.user,
        cron=timing.cron,
        zone=timing.zone,
        missed=timing.missed.value,
        created_at=now,
        changed_at=now,
        next_run_at=following(timing.cron, timing.zone, now),
        **order.columns(),
    )
    session.add(row)
    record(session, "schedule.added", row, actor=actor, now=now)
    return row


def get(session: Session, schedule_id: str, *, actor: Actor) -> Schedule:
    """One schedule.

    Raises:
        UnknownSchedule: there is none, or none that this actor sees.
    """
    query = select(Schedule).where(col(Schedule.id) == schedule_id, _seen(session, actor))
    row = session.exec(query).first()
    if row is None:
        raise UnknownSchedule(schedule_id)
    return row


def listed(
    session: Session,
    *,
    actor: Actor,
    device_id: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[Schedule]:
    """The schedules that this actor sees, the newest first.

    Raises:
        InvalidCursor: it is none of this list.
    """
    query = select(Schedule).where(_seen(session, actor))
    if device_id is not None:
        query = query.where(Schedule.device_id == device_id)
    return pages.page(session, query, _ORDER, limit=limit, cursor=cursor)


def change(
    session: Session, row: Schedule, wanted: Change, *, actor: Actor, now: datetime, following: Following
) -> Schedule:
    """Have it otherwise from now on. What it orders is looked at as its owner's. What is so already is no change.

    Raises:
        InvalidArguments: it is no cron, no zone, or nothing that the device can do.
        UnknownDevice, UnknownGroup: there is none any more.
        Refused: its owner may not order that.
    """
    before = _set(row)
    if wanted.name is not None:
        row.name = wanted.name
    if wanted.missed is not None:
        row.missed = wanted.missed.value
    order = ordering.of(row)
    request = replace(
        order.request,
        arguments=order.request.arguments if wanted.arguments is None else wanted.arguments,
        valid_s=order.request.valid_s if wanted.valid_s is None else wanted.valid_s,
        when_online=order.request.when_online if wanted.when_online is None else wanted.when_online,
    )
    if request != order.request:
        ordering.check(session, replace(order, request=request), actor=ordering.owner(session, row))
        row.parameters, row.valid_s, row.when_online = request.arguments, request.valid_s, request.when_online
    timing = wanted.cron or row.cron, wanted.zone or row.zone
    if timing != (row.cron, row.zone):
        row.cron, row.zone = timing
        next_run_at = following(row.cron, row.zone, now)
        row.next_run_at = None if row.paused_at is not None else next_run_at
    if _set(row) != before:
        row.changed_at = now
        record(session, "schedule.changed", row, actor=actor, now=now)
    return row


def pause(
    session: Session, row: Schedule, *, why: str | None, actor: Actor | None, now: datetime
) -> Schedule:
    """Have it run no more until it is resumed. One that is paused stays so. No actor: the controller itself."""
    if row.paused_at is None:
        row.paused_at, row.paused_why, row.next_run_at, row.changed_at = now, why, None, now
        row.paused_by = actor.user if actor else audit.SYSTEM
        record(session, "schedule.paused", row, actor=actor, now=now)
    return row


def resume(session: Session, row: Schedule, *, actor: Actor, now: datetime, following: Following) -> Schedule:
    """Have it run again from its next time on; what would have run meanwhile is not made up for.

    Raises:
        Refused: its owner may not order that.
        UnknownDevice, UnknownGroup: there is none any more.
        InvalidArguments: the device cannot do that any more.
    """
    if row.paused_at is not None:
        ordering.check(session, ordering.of(row), actor=ordering.owner(session, row))
        row.next_run_at = following(row.cron, row.zone, now)
        row.paused_at = row.paused_by = row.paused_why = None
        row.changed_at = now
        record(session, "schedule.resumed", row, actor=actor, now=now)
    return row


def remove(session: Session, row: Schedule, *, actor: Actor, now: datetime) -> None:
    """Take it away, with its runs. What it has ordered goes on."""
    record(session, "schedule.removed", row, actor=actor, now=now)
    session.delete(row)


def record(session: Session, action: str, row: Schedule, *, actor: Actor | None, now: datetime) -> None:
    """Put on record what became of a schedule."""
    detail: JsonObject = {
        "schedule_id": row.id,
        "name": row.name,
        "owner": row.owner,
        "tool": row.tool_name,
        "cron": row.cron,
        "zone": row.zone,
        "arguments": row.parameters,  # an administrator may change another's, and it runs as theirs
    }
    if row.group_name is not None:
        detail["group"] = row.group_name
    if row.paused_why is not None:
        detail["reason"] = row.paused_why
    audit.record(session, action, now=now, actor=actor, device_id=row.device_id, detail=detail)


def _set(row: Schedule) -> tuple[object, ...]:
    """What somebody can change of it."""
    return row.name, row.cron, row.zone, row.missed, row.parameters, row.valid_s, row.when_online


def _seen(session: Session, actor: Actor) -> ColumnElement[bool]:
    own = true() if actor.role is Role.ADMIN else col(Schedule.owner) == actor.user
    if not actor.is_narrowed:
        return own
    return and_(own, col(Schedule.device_id).in_(Sight(session, actor).roles))
