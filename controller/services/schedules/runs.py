"""The last runs of schedules: what was ordered, or why nothing was."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, delete, select

from controller.services import pages
from controller.services.orders import Status
from controller.services.pages import Page
from controller.store.tables import Schedule, ScheduleRun, ToolExecution
from schemas.ids import new_id

KEPT = 100  # runs of one schedule

_ORDER = pages.Order.of("schedule_runs", "schedule_runs", "id")


class Outcome(StrEnum):
    """What came of a planned time."""

    ORDERED = "ordered"
    REFUSED = "refused"
    SKIPPED = "skipped"


def record(
    session: Session,
    row: Schedule,
    outcome: Outcome,
    *,
    planned_at: datetime,
    now: datetime,
    command_id: str | None = None,
    reason: str | None = None,
) -> None:
    """Keep what came of one planned time."""
    session.add(
        ScheduleRun(
            id=new_id(),
            schedule_id=row.id,
            planned_at=planned_at,
            at=now,
            outcome=outcome.value,
            command_id=command_id,
            reason=reason,
        )
    )
    row.last_run_at, row.last_outcome, row.last_command_id = now, outcome.value, command_id


def is_awaited(session: Session, schedule_id: str) -> bool:
    """Whether what one of them ordered waits for a person's yes still."""
    query = (
        select(ToolExecution.id)
        .join(ScheduleRun, col(ScheduleRun.command_id) == col(ToolExecution.id))
        .where(ScheduleRun.schedule_id == schedule_id, ToolExecution.status == Status.AWAITING_APPROVAL.value)
    )
    return session.exec(query.limit(1)).first() is not None


def trim(session: Session, schedule_id: str) -> None:
    """Let the oldest go."""
    session.flush()
    mine = col(ScheduleRun.schedule_id) == schedule_id
    oldest_kept = (
        select(ScheduleRun.id).where(mine).order_by(col(ScheduleRun.id).desc()).offset(KEPT - 1).limit(1)
    )
    session.execute(delete(ScheduleRun).where(mine, col(ScheduleRun.id) < oldest_kept.scalar_subquery()))


def runs(
    session: Session, schedule_id: str, *, limit: int = KEPT, cursor: str | None = None
) -> tuple[Page[ScheduleRun], dict[str, str]]:
    """The runs of a schedule, the newest first, and the status of those of their commands that are kept still.

    Raises:
        InvalidCursor: it is none of this list.
    """
    query = select(ScheduleRun).where(ScheduleRun.schedule_id == schedule_id)
    found = pages.page(session, query, _ORDER, limit=limit, cursor=cursor)
    ordered = [each.command_id for each in found if each.command_id is not None]
    rows = session.exec(
        select(ToolExecution.id, ToolExecution.status).where(col(ToolExecution.id).in_(ordered))
    )
    return found, dict(rows.all())
