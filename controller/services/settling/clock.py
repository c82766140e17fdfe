"""What time alone does to a command: nothing waits for ever."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, or_
from sqlmodel import Session, col, select

from controller.services import conditions, devices, orders, requests
from controller.services.orders import Status
from controller.services.settling.moving import absent, finish
from controller.store.tables import ToolExecution
from schemas.errors import ErrorBody, ErrorCode

GRACE = 5.0  # seconds past a command's deadline in which a reply may still come
# Seconds without an interruption that a controller listens before it takes silence for an answer, to what left
# before. A broker may have lost the reply with its files; the device sends it again within a minute.
LISTENS_FOR = 65.0
PATIENCE = 600.0  # seconds after which a controller that could not listen so long gives up all the same


@dataclass(frozen=True, slots=True)
class Watch:
    """From when on a controller looks at its commands, and from when on it would have heard a reply."""

    since: datetime
    listening_since: datetime


def due(session: Session, *, now: datetime, watch: Watch | None = None) -> bool:
    """Whether `expire` has anything to do; asked beside the writer."""
    return bool(_late(session, now, watch) or _kept_too_long(session, now))


def expire(session: Session, *, now: datetime, watch: Watch | None = None) -> None:
    """Settle what may have left and can no longer be answered, and what has waited long enough.

    `watch`: None for one that has listened for long.
    """
    for row in _late(session, now, watch):
        finish(session, row, Status.INTERRUPTED, now=now, error=_last_cause(row))
    for row in _kept_too_long(session, now):
        finish(session, row, Status.EXPIRED, now=now, error=_why_kept(session, row, now))


def deadline(row: ToolExecution) -> datetime:
    """Until when a command that has left may be answered.

    It may have been accepted at the last moment, and then runs for its whole timeout.
    """
    return row.expires_at + timedelta(seconds=row.timeout_s + GRACE)


def _late(session: Session, now: datetime, watch: Watch | None) -> list[ToolExecution]:
    query = select(ToolExecution).where(
        col(ToolExecution.status).in_([status.value for status in orders.ON_THE_WAY]),
        col(ToolExecution.released_at).is_not(None),
        col(ToolExecution.expires_at) < now,
    )
    return [row for row in session.exec(query) if deadline(row) < now and _was_heard(row, now, watch)]


def _was_heard(row: ToolExecution, now: datetime, watch: Watch | None) -> bool:
    """Whether its reply would have come by now, or cannot be waited for any longer."""
    if watch is None or (row.released_at is not None and watch.listening_since <= row.released_at):
        return True
    if watch.listening_since + timedelta(seconds=LISTENS_FOR) <= now:
        return True
    return max(deadline(row), watch.since) + timedelta(seconds=PATIENCE) < now


def _kept_too_long(session: Session, now: datetime) -> list[ToolExecution]:
    """What has not left and will not: it waited for its device, a person or an answer past its time.

    A card's own time is the card's to keep. A step of a plan waits for the one before it,
    and what a group's pace holds back is the group's to end.
    """
    status = col(ToolExecution.status)
    query = select(ToolExecution).where(
        or_(
            status == Status.WAITING.value,
            and_(status == Status.QUEUED.value, col(ToolExecution.condition).is_not(None)),
            and_(status == Status.AWAITING_APPROVAL.value, col(ToolExecution.when_online).is_(True)),
        ),
        col(ToolExecution.released_at).is_(None),
        col(ToolExecution.group_name).is_(None),
        col(ToolExecution.expires_at) <= now,
    )
    return [row for row in session.exec(query) if _is_over(row, now)]


def _is_over(row: ToolExecution, now: datetime) -> bool:
    if row.status == Status.QUEUED:
        return conditions.waits_for_answer(row)
    return row.status == Status.WAITING or requests.lasts_until(row) <= now


def _why_kept(session: Session, row: ToolExecution, now: datetime) -> ErrorBody:
    device = devices.find(session, row.device_id)
    if row.status == Status.WAITING and device is not None:
        return absent(device, now=now)
    what = "its precondition was answered" if row.status == Status.QUEUED else "a person decided"
    return ErrorBody(code=ErrorCode.EXPIRED, message=f"It expired before {what}. Nothing was sent.")


def _last_cause(row: ToolExecution) -> ErrorBody:
    if row.error is not None:
        return ErrorBody.model_validate(row.error, strict=False)
    heard = "It was accepted but its end was" if row.status == Status.ACCEPTED else "It was sent but"
    return ErrorBody(
        code=ErrorCode.INTERRUPTED,
        message=f"{heard} never answered. Whether it took effect is not known.",
    )
