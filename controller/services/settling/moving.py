"""Where a command goes next: to its device, back to waiting, or to its end.

An order that waits for its device, for a person or for another command is judged again
before it leaves. One with a precondition leaves on the answer to a question that was
asked for this leaving, and on no earlier one.
"""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from controller.services import audit, cards, conditions, devices, requests, targets
from controller.services.conditions import Condition
from controller.services.orders import Status
from controller.services.policy import Verdict
from controller.services.requests import CommandRequest, Origin
from controller.services.settling.judging import actor_of, asker, objection
from controller.store import house, notices
from controller.store.tables import Device, ToolExecution
from schemas import traces
from schemas.errors import ErrorBody, ErrorCode
from schemas.wire import JsonObject

NO_ANSWER = frozenset(
    {Status.EXPIRED, Status.INTERRUPTED}
)  # a question's ends that may be its device's absence


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


def device_came(session: Session, device_id: str, *, now: datetime) -> None:
    """Move on what waits for a device that is online now, in the order it was asked for."""
    query = select(ToolExecution).where(
        ToolExecution.device_id == device_id, ToolExecution.status == Status.WAITING.value
    )
    for row in list(session.exec(query.order_by(col(ToolExecution.id)))):
        release(session, row, now=now)


def _still_stands(session: Session, row: ToolExecution, *, now: datetime) -> bool:
    """Judge by what holds now; what is not allowed any more is denied."""
    error = objection(session, row, now=now)
    if error is not None:
        finish(session, row, Status.DENIED, now=now, error=error)
    return error is None


def let_go(session: Session, row: ToolExecution, device: Device, *, now: datetime) -> None:
    """Let a command leave that was judged in this transaction, if it can."""
    if row.when_online:
        row.expires_at = requests.lasts_until(row)
    else:
        row.expires_at = now + timedelta(seconds=row.valid_s)
    if not _can_leave(session, row, device, now=now):
        return
    row.status = Status.QUEUED.value
    device.last_used_at = now
    notices.announce(session, notices.CommandChanged(row, final=False))
    if not _predecessor_succeeded(session, row):
        return
    condition = conditions.of(row)
    if condition is not None and condition.tool is not None:
        _ask_first(session, row, condition, device, now=now)
    else:
        _send_off(session, row, now=now)


def _can_leave(session: Session, row: ToolExecution, device: Device, *, now: datetime) -> bool:
    """Whether its device is there and its time not over; else it waits, or ends."""
    if device.status == devices.DeviceStatus.ONLINE and now < row.expires_at:
        return True
    if device.status == devices.DeviceStatus.ONLINE:
        error = ErrorBody(code=ErrorCode.EXPIRED, message="It expired before it could leave.")
        finish(session, row, Status.EXPIRED, now=now, error=error)
    elif row.when_online and now < row.expires_at:
        row.status = Status.WAITING.value
        if conditions.waits_for_answer(row):
            row.follows = None  # it is asked anew when the device comes
        notices.announce(session, notices.CommandChanged(row, final=False))
    else:
        finish(session, row, Status.EXPIRED, now=now, error=absent(device, now=now))
    return False


def absent(device: Device, *, now: datetime) -> ErrorBody:
    """Why nothing was sent to a device that is away, or shut out."""
    message = f"{devices.absence(device, now=now)}. Nothing was sent."
    shut_out = device.suspended_until is not None and now < device.suspended_until
    return ErrorBody(code=ErrorCode.RATE_LIMITED if shut_out else ErrorCode.DEVICE_OFFLINE, message=message)


def _send_off(session: Session, row: ToolExecution, *, now: datetime) -> None:
    row.released_at = now
    notices.announce(session, notices.CommandQueued(row))


def _ask_first(
    session: Session, row: ToolExecution, condition: Condition, device: Device, *, now: datetime
) -> None:
    """Ask the device what the order depends on, by a command of its own that the order waits for."""
    actor = actor_of(session, row, now=now)
    at_most = house.of(session).mqtt_max_risk
    layer, condition = conditions.judge(actor, targets.of(device), condition, mqtt_max_risk=at_most)
    if layer.verdict is not Verdict.ALLOW:
        error = ErrorBody(code=layer.code or ErrorCode.PERMISSION_DENIED, message=layer.reason)
        finish(session, row, Status.DENIED, now=now, error=error)
        return
    left = (row.expires_at - now).total_seconds()
    question = CommandRequest(
        row.device_id,
        condition.tool or "",
        condition.arguments,
        valid_s=min(requests.VALID_FOR, left),
        session_id=row.session_id,
    )
    asked_in = traces.of_command(row.trace_id, row.id).span_id
    origin = Origin(row.plan_id or row.trace_id, row.trace_id, asked_in)
    asking = requests.judge(session, question, device=device, actor=actor, now=now, origin=origin)
    asking.timeout_s = min(asking.timeout_s, left)  # a later answer is of no use
    row.condition = condition.to_json() | {"checked_by": asking.id}
    row.follows = asking.id
    let_go(session, asking, device, now=now)


def _answered(session: Session, row: ToolExecution, asking: ToolExecution, *, now: datetime) -> None:
    """Let an order leave on the answer it waited for, in the transaction that brought it."""
    condition = conditions.of(row)
    if condition is None or row.status != Status.QUEUED or row.released_at is not None:
        return
    if now >= row.expires_at:
        error = ErrorBody(code=ErrorCode.EXPIRED, message="It expired before its precondition was answered.")
        finish(session, row, Status.EXPIRED, now=now, error=error)
        return
    status = Status(asking.status)
    if status is Status.SUCCEEDED:
        no = conditions.objection(condition, asking.result)
    elif status in NO_ANSWER and row.when_online:
        row.follows = None
        release(session, row, now=now)  # it waits for its device, or asks again while there is time
        return
    else:
        no = f"Not run: {condition.tool} was not answered, it is {status.value}."
    if no is not None:
        finish(session, row, Status.CANCELLED, now=now, error=ErrorBody(code=ErrorCode.CONFLICT, message=no))
    elif _still_stands(session, row, now=now) and _can_leave(
        session, row, devices.get(session, row.device_id), now=now
    ):
        _send_off(session, row, now=now)


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
    audit.record(session, f"command.{status.value}", now=now, actor=asker(row), command=row, detail=detail)
    notices.announce(session, notices.CommandChanged(row, final=True))
    if row.approval_id is not None:
        cards.close_if_idle(session, row.approval_id, now=now)
    for follower in followers(session, row):
        if conditions.checked_by(follower) == row.id:
            _answered(session, follower, row, now=now)
        else:
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
