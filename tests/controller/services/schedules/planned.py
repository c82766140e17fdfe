"""Schedules for tests, and what came of them."""

from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session, col, select

from controller import timetable
from controller.services import schedules
from controller.services.actors import Actor
from controller.services.schedules import Missed, NewSchedule, Order, Timing
from controller.store.tables import AuditEntry, Schedule, ScheduleRun, ToolExecution
from tests.factories import NOON, OPERATOR, a_request

ZONE = "Europe/Amsterdam"
SIX = datetime(2026, 2, 13, 6, 0, tzinfo=UTC)  # seven o'clock there, the day after NOON


def add(
    session: Session,
    *,
    actor: Actor = OPERATOR,
    cron: str = "0 7 * * *",
    missed: Missed = Missed.ONCE,
    order: Order | None = None,
    now: datetime = NOON,
    **request: Any,
) -> Schedule:
    """A schedule, committed to nothing yet."""
    wanted = order or Order(a_request(**request))
    new = NewSchedule(wanted, Timing(cron, ZONE, missed), "Folder of the day")
    row = schedules.add(session, new, actor=actor, now=now, following=timetable.following)
    session.flush()
    return row


def sweep(session: Session, now: datetime) -> None:
    """What the clock does."""
    for each in schedules.due(session, now=now):
        schedules.run(session, each, now=now, following=timetable.following)
        session.flush()


def ordered(session: Session) -> list[ToolExecution]:
    """The commands that there are, in their order."""
    return list(session.exec(select(ToolExecution).order_by(col(ToolExecution.id))))


def ran(session: Session) -> list[ScheduleRun]:
    """The runs that there are, in their order."""
    return list(session.exec(select(ScheduleRun).order_by(col(ScheduleRun.id))))


def actions(session: Session) -> list[tuple[str, str, str]]:
    """What was put on record of schedules, by whom and by which door."""
    rows = session.exec(select(AuditEntry).order_by(col(AuditEntry.number)))
    return [(row.action, row.actor, row.via) for row in rows if row.action.startswith("schedule.")]
