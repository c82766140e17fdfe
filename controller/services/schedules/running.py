"""The runs of schedules whose time has come.

What is ordered, that it was, and when the next time is are written in one transaction: a planned run is
ordered once or not yet, whenever the controller is killed, and by whichever of several controllers.
"""

import logging
from datetime import datetime
from functools import partial

from sqlmodel import Session, col, select

from controller.errors import OrionError
from controller.services import devices, events
from controller.services.actors import Actor
from controller.services.policy import Verdict
from controller.services.schedules import keeping, missed, ordering, runs
from controller.services.schedules.missed import Missed
from controller.services.schedules.runs import Outcome
from controller.services.schedules.timing import Following
from controller.store import notices
from controller.store.tables import Schedule
from schemas.events import Event, Severity
from schemas.ids import new_id
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)

AT_ONCE = 20  # schedules of one sweep; the next one goes on
AWAITED = "The run before it waits for a yes."


def due(session: Session, *, now: datetime) -> list[str]:
    """The ids of those whose time has come, the latest ones last; some of them, where there are many."""
    query = select(Schedule.id).where(col(Schedule.next_run_at) <= now).order_by(col(Schedule.next_run_at))
    return list(session.exec(query.limit(AT_ONCE)).all())


def astray(session: Session, *, now: datetime, following: Following) -> list[str]:
    """The ids of those that wait for a time behind their next two: the clock was ahead when it was worked out.

    One that has run already by a clock that was a little ahead waits for its next time, and does not run again.
    """
    rows = session.exec(select(Schedule).where(col(Schedule.next_run_at) > now)).all()
    return [row.id for row in rows if _is_astray(row, now=now, following=following)]


def plan_anew(session: Session, schedule_id: str, *, now: datetime, following: Following) -> None:
    """Have one that waits for a time out of reach wait for its next one."""
    row = session.get(Schedule, schedule_id, with_for_update=True)
    if row is not None and _is_astray(row, now=now, following=following):
        row.next_run_at = following(row.cron, row.zone, now)
        keeping.record(session, "schedule.planned_anew", row, actor=None, now=now)


def _is_astray(row: Schedule, *, now: datetime, following: Following) -> bool:
    if row.next_run_at is None:
        return False
    after = partial(following, row.cron, row.zone)
    try:
        return after(after(now)) < row.next_run_at
    except OrionError:  # its zone is known here no more, which its next run will say
        return False


def run(session: Session, schedule_id: str, *, now: datetime, following: Following) -> None:
    """Order what is due of one, with what its owner may now, and say when it comes next.

    Each is a unit of its own: one that cannot be run for a fault of ours holds up no other.
    """
    query = select(Schedule).where(col(Schedule.id) == schedule_id, col(Schedule.next_run_at) <= now)
    locked = query.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    if (row := session.exec(locked).first()) is not None:
        _run(session, row, now=now, following=following)
        runs.trim(session, row.id)


def _run(session: Session, row: Schedule, *, now: datetime, following: Following) -> None:
    first = row.next_run_at or now
    try:
        actor = ordering.owner(session, row)
        after = partial(following, row.cron, row.zone)
        found = missed.due(Missed(row.missed), first, now=now, after=after)
        row.next_run_at = found.following
    except OrionError as error:
        _refuse(session, row, str(error), planned_at=first, now=now)
        return
    if found.passed is not None and not found.planned:
        runs.record(session, row, Outcome.SKIPPED, planned_at=first, now=now, reason=found.passed)
    for number, planned_at in enumerate(found.planned):
        said = found.passed if number == len(found.planned) - 1 else None
        _order(session, row, actor=actor, planned_at=planned_at, now=now, said=said)
        if row.paused_at is not None:
            return


def _order(
    session: Session, row: Schedule, *, actor: Actor, planned_at: datetime, now: datetime, said: str | None
) -> None:
    if runs.is_awaited(session, row.id):  # one card is a question, a heap of them is none
        why = AWAITED if said is None else f"{AWAITED} {said}"
        runs.record(session, row, Outcome.SKIPPED, planned_at=planned_at, now=now, reason=why)
        return
    told = len(notices.of(session))
    try:
        with session.begin_nested():
            command = ordering.submit(session, ordering.of(row), actor=actor, now=now)
    except OrionError as error:
        del notices.of(session)[told:]  # nothing of that has happened
        _refuse(session, row, str(error), planned_at=planned_at, now=now)
        return
    if command.decision == Verdict.DENY:
        _refuse(session, row, command.reasons[0], planned_at=planned_at, now=now, command_id=command.id)
        return
    runs.record(
        session,
        row,
        Outcome.ORDERED,
        planned_at=planned_at,
        now=now,
        command_id=command.id,
        reason=said,
    )


def _refuse(
    session: Session,
    row: Schedule,
    why: str,
    *,
    planned_at: datetime,
    now: datetime,
    command_id: str | None = None,
) -> None:
    """Keep that nothing was done, and pause: the gate would say the same each time. It is said once."""
    runs.record(
        session, row, Outcome.REFUSED, planned_at=planned_at, now=now, command_id=command_id, reason=why
    )
    keeping.pause(session, row, why=why, actor=None, now=now)
    if row.device_id is not None and devices.find(session, row.device_id) is not None:
        # who sees the device may read this: whose schedule it is, and what it says, is not for all of them
        data: JsonObject = {"code": "schedule_paused", "schedule_id": row.id}
        event = Event(id=new_id(), type="error_occurred", severity=Severity.WARNING, data=data, at=now)
        events.store(session, row.device_id, event, now=now)
    else:  # there is no device to raise it on
        logger.warning(
            "Schedule %s of %s paused itself, see: orion schedules show %s", row.id, row.owner, row.id
        )
