"""How a command moves on: released, answered, expired, cancelled; each final status once.

Every change of a row's status happens here, is audited, and is announced to whoever
waits. A plan is a chain: a step leaves when the one it follows has succeeded, and is
cancelled when that one ended in any other way.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session, col, select

from controller.services import audit, cards, devices, events, orders, permissions, targets
from controller.services.actors import Actor, Role
from controller.services.orders import Status
from controller.services.permissions import Decision, Proposal
from controller.services.policy import Verdict
from controller.store import notices
from controller.store.tables import Device, ToolExecution
from schemas.commands import Reply, ReplyStatus, Via
from schemas.errors import ErrorBody, ErrorCode
from schemas.events import Event, Severity
from schemas.wire import JsonObject

GRACE = 5.0  # seconds past a command's deadline in which a reply may still come
NEVER_SETTLED_BY = frozenset({ErrorCode.BAD_SIGNATURE, ErrorCode.REPLAYED})  # they speak of one arrival


class Settled(StrEnum):
    """What a reply did."""

    MOVED = "moved"
    NOTHING = "nothing"  # late, repeated or out of order: true or moot, either way stored
    REFUSED = "refused"  # not this device's command


def parameters(row: ToolExecution) -> JsonObject:
    """The arguments to execute, secrets included; only while the command is open."""
    return row.secret_parameters or row.parameters


def actor_of(row: ToolExecution) -> Actor:
    """Whose rights the command carries."""
    return Actor(row.requested_by, Role(row.role), Via(row.via))


def recheck(session: Session, row: ToolExecution) -> Decision:
    """The permission layers again, with what holds now."""
    device = devices.find(session, row.device_id)
    target = targets.of(device) if device else targets.unknown(row.device_id)
    return permissions.decide(
        actor_of(row), target, Proposal(row.tool_name, parameters(row), dry_run=row.dry_run)
    )


def release(session: Session, row: ToolExecution, *, now: datetime) -> None:
    """Move on a command that was decided earlier: one of a group waits for its turn, any other may leave.

    What has ended meanwhile, by the end of the step before it, stays so.
    """
    if row.parent_id is not None:
        _hold_back(session, row)
    else:
        leave(session, row, now=now)


def leave(session: Session, row: ToolExecution, *, now: datetime) -> None:
    """Let a command leave whose turn it is, unless something denies it by now."""
    if not Status(row.status).is_final and _still_stands(session, row, now=now):
        let_go(session, row, devices.get(session, row.device_id), now=now)


def _hold_back(session: Session, row: ToolExecution) -> None:
    """Put a command of a group back among those that its pace lets leave."""
    parent = session.get(ToolExecution, row.parent_id)
    if parent is not None and not Status(row.status).is_final:
        row.status, row.expires_at = Status.QUEUED.value, parent.expires_at
        notices.announce(session, notices.CommandChanged(row, final=False))


def judge_again(session: Session, command_id: str, *, now: datetime) -> bool:
    """Whether a command that was let go and has surely not left may still leave."""
    row = session.get(ToolExecution, command_id)
    return row is not None and row.status == Status.QUEUED and _still_stands(session, row, now=now)


def _still_stands(session: Session, row: ToolExecution, *, now: datetime) -> bool:
    """Judge by what holds now; what is not allowed any more is denied."""
    decision = recheck(session, row)
    if decision.verdict is Verdict.DENY:
        error = ErrorBody(code=decision.code, message=decision.reasons[0])
    elif decision.verdict is Verdict.ASK and row.approval_id is None:
        message = f"It was allowed when it was asked for, and is not any more: {decision.reasons[0]}"
        error = ErrorBody(code=ErrorCode.PERMISSION_DENIED, message=message)
    else:
        return True
    finish(session, row, Status.DENIED, now=now, error=error)
    return False


def let_go(session: Session, row: ToolExecution, device: Device, *, now: datetime) -> None:
    """Let a command leave that was decided in this transaction, unless its device is away."""
    if device.status != devices.DeviceStatus.ONLINE:
        finish(session, row, Status.EXPIRED, now=now, error=_offline(device, now))
        return
    row.status = Status.QUEUED.value
    row.expires_at = now + timedelta(seconds=row.valid_s)
    device.last_used_at = now
    notices.announce(session, notices.CommandChanged(row, final=False))
    if _predecessor_succeeded(session, row):
        row.released_at = now
        notices.announce(session, notices.CommandQueued(row))


def _offline(device: Device, now: datetime) -> ErrorBody:
    message = f"{devices.absence(device, now=now)}. Nothing was sent."
    return ErrorBody(code=ErrorCode.DEVICE_OFFLINE, message=message)


def _predecessor_succeeded(session: Session, row: ToolExecution) -> bool:
    if row.follows is None:
        return True
    before = session.get(ToolExecution, row.follows)
    return before is not None and before.status == Status.SUCCEEDED


def finish(
    session: Session,
    row: ToolExecution,
    status: Status,
    *,
    now: datetime,
    result: JsonObject | None = None,
    error: ErrorBody | None = None,
    duration_ms: float | None = None,
) -> None:
    """Give a command its one final status and move on what followed it; a second end changes nothing."""
    if Status(row.status).is_final:
        return
    row.status, row.success, row.finished_at = status.value, status is Status.SUCCEEDED, now
    row.result, row.duration_ms = result, duration_ms
    row.error = error.to_json() if error else None
    row.error_message = error.message if error else None
    row.secret_parameters = None
    detail: JsonObject = {"code": error.code} if error else {}
    audit.record(session, f"command.{status.value}", now=now, actor=actor_of(row), command=row, detail=detail)
    notices.announce(session, notices.CommandChanged(row, final=True))
    if row.approval_id is not None:
        cards.close_if_idle(session, row.approval_id, now=now)
    for follower in followers(session, row):
        _after(session, follower, succeeded=status is Status.SUCCEEDED, now=now)


def followers(session: Session, row: ToolExecution) -> list[ToolExecution]:
    """The open commands that wait for this one."""
    query = select(ToolExecution).where(ToolExecution.follows == row.id)
    return [each for each in session.exec(query) if not Status(each.status).is_final]


def _after(session: Session, follower: ToolExecution, *, succeeded: bool, now: datetime) -> None:
    if not succeeded:
        error = ErrorBody(code=ErrorCode.CANCELLED, message="Not run: the step before it did not succeed.")
        finish(session, follower, Status.CANCELLED, now=now, error=error)
    elif follower.status == Status.QUEUED:
        release(session, follower, now=now)


def published(session: Session, command_id: str, *, attempt: int, now: datetime) -> None:
    """Note that the broker took the command."""
    row = session.get(ToolExecution, command_id)
    if row is None:
        return
    row.attempt = max(row.attempt, attempt)
    row.published_at = row.published_at or now
    if row.status == Status.QUEUED:
        row.status = Status.SENT.value
        notices.announce(session, notices.CommandChanged(row, final=False))


def settle(session: Session, device_id: str, reply: Reply, *, now: datetime) -> Settled:
    """Take a device's word on a command; repeated, late and contradictory words change nothing."""
    row = session.get(ToolExecution, reply.command_id)
    if row is None or row.device_id != device_id:
        detail: JsonObject = {"status": reply.status.value, "command_id": reply.command_id}
        audit.record(session, "reply.refused", now=now, device_id=device_id, detail=detail)
        return Settled.REFUSED
    if reply.error is not None and reply.error.code in NEVER_SETTLED_BY:
        if Status(row.status) in orders.ON_THE_WAY:
            row.error = reply.error.to_json()  # the cause that is told if nothing better comes
        audit.record(session, f"reply.{reply.error.code}", now=now, command=row)
        events.store(session, device_id, _refusal_of(row, reply.error.code, now=now), now=now)
        return Settled.NOTHING
    status = orders.after(Status(row.status), reply.status)
    if status is None or row.released_at is None:  # nobody can have answered what has not left
        _note_contradiction(session, row, reply, now=now)
        return Settled.NOTHING
    row.accepted_at = row.accepted_at or now
    if status.is_final:
        row.executed_at = row.executed_at or reply.at
        finish(
            session,
            row,
            status,
            now=now,
            result=reply.result,
            error=reply.error,
            duration_ms=reply.duration_ms,
        )
        return Settled.MOVED
    row.status, row.executed_at = status.value, row.executed_at or reply.at
    row.progress = reply.progress if reply.status is ReplyStatus.PROGRESS else row.progress
    notices.announce(session, notices.CommandChanged(row, final=False))
    return Settled.MOVED


def _refusal_of(row: ToolExecution, code: str, *, now: datetime) -> Event:
    """What somebody should look at: once a command and cause, however often the device says it."""
    return Event(
        id=f"{code}-{row.id}",
        type="error_occurred",
        severity=Severity.ERROR,
        data={"code": code, "command_id": row.id, "tool": row.tool_name},
        at=now,
    )


def _note_contradiction(session: Session, row: ToolExecution, reply: Reply, *, now: datetime) -> None:
    if reply.status.is_final and reply.status.value != row.status:
        detail: JsonObject = {"stands": row.status, "said": reply.status.value}
        audit.record(session, "reply.contradicts", now=now, command=row, detail=detail)


def due(session: Session, *, now: datetime) -> bool:
    """Whether `expire` has anything to do; asked beside the writer."""
    return bool(_late(session, now))


def expire(session: Session, *, now: datetime) -> None:
    """Settle as `interrupted` what may have left and can no longer be answered."""
    for row in _late(session, now):
        finish(session, row, Status.INTERRUPTED, now=now, error=_last_cause(row))


def never_sent(session: Session, command_id: str, *, now: datetime) -> None:
    """Settle as `expired` what the outbox knows it never handed to a broker."""
    row = session.get(ToolExecution, command_id)
    if row is not None and row.status == Status.QUEUED:
        error = ErrorBody(code=ErrorCode.EXPIRED, message="It expired before it could be sent.")
        finish(session, row, Status.EXPIRED, now=now, error=error)


def called_back(session: Session, command_id: str, *, now: datetime) -> None:
    """Settle as `cancelled` what somebody cancelled and the outbox knows it never handed to a broker."""
    row = session.get(ToolExecution, command_id)
    if row is not None and row.status == Status.QUEUED:
        error = ErrorBody(code=ErrorCode.CANCELLED, message="It was cancelled before it was sent.")
        finish(session, row, Status.CANCELLED, now=now, error=error)


def not_taken(session: Session, command_id: str, *, error: ErrorBody, now: datetime) -> None:
    """Settle as `failed` what the broker refused to take."""
    row = session.get(ToolExecution, command_id)
    if row is not None and row.status == Status.QUEUED:
        finish(session, row, Status.FAILED, now=now, error=error)


def _late(session: Session, now: datetime) -> list[ToolExecution]:
    query = select(ToolExecution).where(
        col(ToolExecution.status).in_([status.value for status in orders.ON_THE_WAY]),
        col(ToolExecution.released_at).is_not(None),
        col(ToolExecution.expires_at) < now,
    )
    # it may have been accepted at the last moment, and then runs for its whole timeout
    return [row for row in session.exec(query) if _deadline(row) < now]


def _deadline(row: ToolExecution) -> datetime:
    return row.expires_at + timedelta(seconds=row.timeout_s + GRACE)


def _last_cause(row: ToolExecution) -> ErrorBody:
    if row.error is not None:
        return ErrorBody.model_validate(row.error, strict=False)
    heard = "It was accepted but its end was" if row.status == Status.ACCEPTED else "It was sent but"
    return ErrorBody(
        code=ErrorCode.INTERRUPTED,
        message=f"{heard} never answered. Whether it took effect is not known.",
    )
