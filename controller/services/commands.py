"""The way of a command in: asked, recorded, decided, queued. The only way to a device.

Every door (HTTP, MQTT, the clock, the assistant) comes through `submit`, so
permission and audit cannot be walked around. Steps of one plan are decided together
before any runs, and run in order; one denied step keeps the others from running.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from controller.errors import Conflict, Refused, UnknownCommand
from controller.services import approvals, audit, devices, orders, pages, settling
from controller.services.actors import Actor
from controller.services.orders import Status
from controller.services.pages import Order, Page
from controller.services.policy import Verdict
from controller.services.requests import (
    MAX_TIMEOUT,
    TIMEOUT,
    VALID_AT_MOST,
    VALID_FOR,
    CommandRequest,
    Origin,
    code,
    explain,
    judge,
    layers,
)
from controller.services.sight import Sight
from controller.store import notices
from controller.store.tables import AuditEntry, ToolExecution
from schemas.errors import ErrorBody, ErrorCode

__all__ = [
    "CANCEL_ASKED",
    "MAX_STEPS",
    "MAX_TIMEOUT",
    "TIMEOUT",
    "VALID_AT_MOST",
    "VALID_FOR",
    "CommandRequest",
    "Origin",
    "called_off",
    "cancel",
    "cancel_wanted",
    "code",
    "explain",
    "get",
    "judge",
    "layers",
    "listed",
    "on_the_way",
    "stoppable",
    "submit",
    "submit_plan",
    "withdraw",
]

MAX_STEPS = 20  # of one plan
CANCEL_ASKED = "command.cancel"

_ORDER = Order.of("commands", "tool_executions", "id")


def submit(session: Session, request: CommandRequest, *, actor: Actor, now: datetime) -> ToolExecution:
    """Record a command and decide whether it may leave.

    A refusal is an outcome, not an exception: the row and its audit entry are
    written in the caller's transaction whatever the decision.
    """
    return submit_plan(session, [request], actor=actor, now=now)[0]


def submit_plan(
    session: Session,
    requests: Sequence[CommandRequest],
    *,
    actor: Actor,
    now: datetime,
    origin: Origin | None = None,
) -> list[ToolExecution]:
    """Record the steps of one plan, decide all, and let run what may, in order.

    `origin`: of a plan that has steps already; else it is one of its own, in the trace of the work at hand.

    Raises:
        Conflict: more steps than one plan may have.
    """
    if len(requests) > MAX_STEPS:
        raise Conflict(f"A plan may have {MAX_STEPS} steps, not {len(requests)}.")
    origin = origin or Origin.here()
    rows: list[ToolExecution] = []
    for request in requests:
        device = devices.find(session, request.device_id)
        row = judge(session, request, device=device, actor=actor, now=now, origin=origin)
        row.follows = rows[-1].id if rows else None
        rows.append(row)
    if rows:
        _start(session, rows, actor=actor, now=now)
    return rows


def _start(session: Session, rows: list[ToolExecution], *, actor: Actor, now: datetime) -> None:
    denied = [row for row in rows if row.decision == Verdict.DENY]
    if denied:
        _refuse(session, rows, denied, now=now)
        return
    asked = [row for row in rows if row.decision == Verdict.ASK]
    for row in asked:
        row.status = Status.AWAITING_APPROVAL.value
    if asked:
        approvals.ask(session, asked, actor=actor, now=now)
    for row in rows:
        notices.announce(session, notices.CommandChanged(row, final=False))
    first = rows[0]
    if first.status == Status.QUEUED:
        settling.let_go(session, first, devices.get(session, first.device_id), now=now)


def _refuse(
    session: Session, rows: list[ToolExecution], denied: list[ToolExecution], *, now: datetime
) -> None:
    for row in rows:
        row.follows = None  # a step that was refused is not what the others wait for
    for row in rows:
        if row in denied:
            error = ErrorBody(code=code(row), message=row.reasons[0])
            settling.finish(session, row, Status.DENIED, now=now, error=error)
        else:
            error = ErrorBody(
                code=ErrorCode.CANCELLED, message="Not run: another step of the plan was refused."
            )
            settling.finish(session, row, Status.CANCELLED, now=now, error=error)


def get(session: Session, command_id: str, *, sight: Sight | None = None) -> ToolExecution:
    """One command, as far as somebody sees it; None: the controller itself looks.

    Raises:
        UnknownCommand: it was never recorded, or they do not see it.
    """
    row = session.get(ToolExecution, command_id)
    if row is None or (sight is not None and not sight.command(row)):
        raise UnknownCommand(command_id)
    return row


def listed(
    session: Session,
    *,
    limit: int = 100,
    cursor: str | None = None,
    device_id: str | None = None,
    status: Status | None = None,
    parent_id: str | None = None,
    sight: Sight | None = None,
) -> Page[ToolExecution]:
    """Commands, newest first; of what somebody sees, or all for the controller itself.

    Raises:
        InvalidCursor: it is none of this list.
    """
    query = select(ToolExecution)
    if sight is not None:
        query = query.where(sight.of_commands())
    if device_id is not None:
        query = query.where(ToolExecution.device_id == device_id)
    if status is not None:
        query = query.where(ToolExecution.status == status.value)
    if parent_id is not None:
        query = query.where(ToolExecution.parent_id == parent_id)
    return pages.page(session, query, _ORDER, limit=limit, cursor=cursor)


def on_the_way(session: Session) -> list[ToolExecution]:
    """The commands that may leave or have left and are not answered: what an outbox starts with."""
    query = select(ToolExecution).where(
        col(ToolExecution.status).in_([status.value for status in orders.ON_THE_WAY]),
        col(ToolExecution.released_at).is_not(None),
    )
    return list(session.exec(query.order_by(col(ToolExecution.id))))


def cancel_wanted(session: Session, command_id: str) -> bool:
    """Whether somebody has cancelled the command; the audit knows, also after a restart."""
    query = select(AuditEntry.number).where(
        AuditEntry.command_id == command_id, AuditEntry.action == CANCEL_ASKED
    )
    return session.exec(query).first() is not None


def called_off(session: Session) -> set[str]:
    """Those of the commands on the way that somebody cancelled, or that the rules called off."""
    query = (
        select(AuditEntry.command_id)
        .join(ToolExecution, col(AuditEntry.command_id) == col(ToolExecution.id))
        .where(
            col(AuditEntry.action).in_([CANCEL_ASKED, settling.CALLED_OFF]),
            col(ToolExecution.status).in_([status.value for status in orders.ON_THE_WAY]),
        )
    )
    return {command_id for command_id in session.exec(query) if command_id is not None}


def cancel(session: Session, command_id: str, *, actor: Actor, now: datetime) -> ToolExecution:
    """Stop a command: one that has not left never runs; a device is asked to stop one that has.

    Raises:
        UnknownCommand: it was never recorded, or the actor does not see it.
        Refused: it is somebody else's, and the actor may only look there.
        Conflict: it has ended already.
    """
    row = stoppable(session, command_id, actor=actor)
    status = Status(row.status)
    if status.is_final:
        raise Conflict(f"Command {command_id} has ended already: {status.value}.")
    audit.record(session, CANCEL_ASKED, now=now, actor=actor, command=row)
    if row.released_at is None:
        error = ErrorBody(code=ErrorCode.CANCELLED, message=f"{actor.user} cancelled it before it was sent.")
        settling.finish(session, row, Status.CANCELLED, now=now, error=error)
    else:
        notices.announce(session, notices.CancelWanted(row))
    return row


def stoppable(session: Session, command_id: str, *, actor: Actor) -> ToolExecution:
    """A command that this actor may have stopped: their own, or where they may order something.

    Raises:
        UnknownCommand: it was never recorded, or they do not see it.
        Refused: it is somebody else's, and they may only look there.
    """
    sight = Sight(session, actor)
    row = get(session, command_id, sight=sight)
    if row.requested_by != actor.user and not sight.commands_it(row):
        raise Refused("Somebody else's command is stopped by who may order something there.")
    return row


def withdraw(session: Session, device_id: str, *, now: datetime) -> None:
    """Deny what waits for tools that are not offered or not allowed any more.

    Whether a released command has left only the outbox knows: it judges those that have
    not once more. What has left is the device's to refuse.
    """
    query = select(ToolExecution).where(
        ToolExecution.device_id == device_id,
        col(ToolExecution.status).in_([status.value for status in orders.NOT_LEFT]),
        col(ToolExecution.released_at).is_(None),
    )
    for row in session.exec(query).all():
        decision = settling.recheck(session, row, now=now)
        if decision.verdict is Verdict.DENY and not Status(row.status).is_final:
            error = ErrorBody(code=decision.code, message=decision.reasons[0])
            settling.finish(session, row, Status.DENIED, now=now, error=error)
    notices.announce(session, notices.RulesChanged(device_id))
