"""How an order to a group goes on: who may leave now, when it stops, how it ends.

Called again and again, by whoever hears that something happened: all it needs stands in
the rows, and what it has done once it does not do again.
"""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from controller.services import audit, cards, commands, orders, settling
from controller.services.actors import Actor
from controller.services.orders import Status
from controller.services.rollouts import children
from controller.services.rollouts.children import Tally
from controller.services.rollouts.pace import Pace
from controller.store import notices
from controller.store.tables import ApprovalRow, ToolExecution
from schemas.errors import ErrorBody, ErrorCode
from schemas.wire import JsonObject

PATIENCE = timedelta(seconds=30)  # with devices that were online until we or the broker started anew
LOOK_AGAIN = timedelta(seconds=0.5)  # meanwhile
AT_ONCE = 250  # that leave in one step: others wait for the writer too

_PACE = ("rate_per_s", "max_in_flight", "stop_after")


def take_up(session: Session) -> list[str]:
    """At a controller's start: the orders that have not ended; their devices get a new moment to be heard."""
    query = select(ToolExecution).where(
        col(ToolExecution.group_name).is_not(None),
        col(ToolExecution.status).in_([status.value for status in orders.OPEN]),
    )
    found = list(session.exec(query.order_by(col(ToolExecution.id))))
    for parent in found:
        parent.rollout = (parent.rollout or {}) | {"patient_until": None}
    return [parent.id for parent in found]


def recorded(pace: Pace) -> JsonObject:
    """What a parent's row keeps of its pace at the start."""
    return {name: getattr(pace, name) for name in _PACE} | {
        "stopped": False,
        "next_at": None,
        "patient_until": None,
    }


def advance(session: Session, parent_id: str, *, now: datetime) -> datetime | None:
    """Let leave what may leave now, stop what has failed too often, end what is over.

    When to look again for the sake of the rate; None: when something happens.
    """
    parent = session.get(ToolExecution, parent_id)
    if parent is None or parent.rollout is None or Status(parent.status).is_final:
        return None
    pace = pace_of(parent)
    _expire(session, parent, now=now)
    patient_until = _patience(session, parent, now=now)
    is_patient = patient_until is not None and now < patient_until
    tally, next_at = _let_leave(session, parent, pace, all_of_them=not is_patient, now=now)
    stopped = bool(parent.rollout["stopped"])
    if pace.has_failed(tally.failures) and _stop(session, parent, tally, now=now):
        stopped = True
        tally = children.tally(session, parent.id)
    state: JsonObject = {
        "stopped": stopped,
        "next_at": _noted(next_at),
        "patient_until": _noted(patient_until),
    }
    _note(session, parent, tally, state)
    if tally.open == 0:
        _end(session, parent, tally, now=now)
        return None
    if not tally.held or pace.room(tally.in_flight) == 0:
        return None
    return max(pace.due_at(next_at, now), now + LOOK_AGAIN if is_patient else now)


def _patience(session: Session, parent: ToolExecution, *, now: datetime) -> datetime | None:
    """Until when devices that have not spoken since a restart are not taken for absent; None: all have.

    A clock that was set back makes that no longer.
    """
    if not children.any_unheard(session, parent.id):
        return None
    noted = (parent.rollout or {}).get("patient_until")
    return min(datetime.fromisoformat(noted), now + PATIENCE) if noted else now + PATIENCE


def _noted(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def cancel(session: Session, command_id: str, *, actor: Actor, now: datetime) -> ToolExecution:
    """Call any command back; with one to a group, all of its devices' that are open.

    Raises:
        UnknownCommand: it was never recorded, or the actor does not see it.
        Refused: it is somebody else's, and the actor may only look there.
        Conflict: it has ended already.
    """
    row = commands.stoppable(session, command_id, actor=actor)
    if row.group_name is None or Status(row.status).is_final:
        return commands.cancel(session, command_id, actor=actor, now=now)
    audit.record(session, commands.CANCEL_ASKED, now=now, actor=actor, command=row)
    close_card(session, row, now=now)
    for child in children.still_open(session, row.id):
        commands.cancel(session, child.id, actor=actor, now=now)
    advance(session, row.id, now=now)
    return row


def pace_of(parent: ToolExecution) -> Pace:
    """The limits of an order."""
    return Pace(**{name: (parent.rollout or {})[name] for name in _PACE})


def _expire(session: Session, parent: ToolExecution, *, now: datetime) -> None:
    for child in children.overdue(session, parent.id, now=now):
        error = ErrorBody(
            code=ErrorCode.EXPIRED, message="It expired before its turn came. Nothing was sent."
        )
        settling.finish(session, child, Status.EXPIRED, now=now, error=error)


def _let_leave(
    session: Session, parent: ToolExecution, pace: Pace, *, all_of_them: bool, now: datetime
) -> tuple[Tally, datetime | None]:
    """Let leave as many as the limits allow; how far it is then, and when the next may by the rate."""
    tally = children.tally(session, parent.id)
    in_flight, failures, moved = tally.in_flight, tally.failures, 0
    noted = (parent.rollout or {})["next_at"]
    next_at = datetime.fromisoformat(noted) if noted else None
    waiting = children.held(session, parent.id, most=pace.room(in_flight), all_of_them=all_of_them)
    while (
        tally.held
        and not pace.has_failed(failures)
        and pace.room(in_flight) != 0
        and now >= pace.due_at(next_at, now)
    ):
        child = next(waiting, None)
        if child is None or moved == AT_ONCE:
            break
        moved += 1
        settling.leave(session, child, now=now)
        status = Status(child.status)
        if status in orders.FAILURES:
            failures += 1
        elif not status.is_final and status is not Status.WAITING:
            in_flight += 1
            next_at = pace.after(next_at, now)
    return (children.tally(session, parent.id) if moved else tally), next_at


def _stop(session: Session, parent: ToolExecution, tally: Tally, *, now: datetime) -> bool:
    """Cancel what has not left; False when all had."""
    noun = "failure" if tally.failures == 1 else "failures"
    error = ErrorBody(code=ErrorCode.CANCELLED, message=f"Not run: stopped after {tally.failures} {noun}.")
    close_card(session, parent, now=now)
    stopped = False
    for child in children.not_left(session, parent.id):
        settling.finish(session, child, Status.CANCELLED, now=now, error=error)
        stopped = True
    return stopped


def close_card(session: Session, parent: ToolExecution, *, now: datetime) -> None:
    """Take the group's question back, if it is open still."""
    card = session.get(ApprovalRow, parent.approval_id) if parent.approval_id else None
    if card is not None and card.status == cards.ApprovalStatus.PENDING:
        cards.close(session, card, cards.ApprovalStatus.CANCELLED, now=now)


def _note(session: Session, parent: ToolExecution, tally: Tally, state: JsonObject) -> None:
    """Write down how far it is, and tell if that is news."""
    before = (parent.status, parent.rollout)
    parent.rollout = (parent.rollout or {}) | tally.counts() | state
    parent.progress = 1 - tally.open / tally.total
    if tally.open:
        parent.status = _standing(parent, tally).value
        if (parent.status, parent.rollout) != before:
            notices.announce(session, notices.CommandChanged(parent, final=False))


def _standing(parent: ToolExecution, tally: Tally) -> Status:
    if tally.of(Status.AWAITING_APPROVAL):
        return Status.AWAITING_APPROVAL
    if tally.of(Status.WAITING) == tally.open:
        return Status.WAITING
    has_begun = tally.in_flight or tally.open < tally.total or parent.status == Status.ACCEPTED
    return Status.ACCEPTED if has_begun else Status.QUEUED


def _end(session: Session, parent: ToolExecution, tally: Tally, *, now: datetime) -> None:
    if tally.of(Status.SUCCEEDED) == tally.total:
        settling.finish(session, parent, Status.SUCCEEDED, now=now, result={**tally.counts()})
        return
    bad = children.first_bad(session, parent.id)
    code = (bad.error or {}).get("code") if bad else None
    error = ErrorBody(code=code or ErrorCode.INTERNAL, message=_said(parent, tally))
    cancelled = commands.cancel_wanted(session, parent.id)
    status = Status.CANCELLED if cancelled else Status.FAILED
    settling.finish(session, parent, status, now=now, result={**tally.counts()}, error=error)


def _said(parent: ToolExecution, tally: Tally) -> str:
    cancelled = tally.of(Status.CANCELLED)
    not_run = "not run" if (parent.rollout or {})["stopped"] else "cancelled"
    parts = [f"{tally.failures} of {tally.total} failed"] if tally.failures else []
    if cancelled:
        parts.append(f"{cancelled} {not_run}" if parts else f"{cancelled} of {tally.total} {not_run}")
    return ", ".join(parts) + "."
