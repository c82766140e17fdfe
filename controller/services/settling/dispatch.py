"""The last look before a command is handed to the broker, and what the outbox knows of its leaving.

What has surely not left is settled here by what holds now. What may have left is not: it is
called off, and its device says how far it came.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from controller.services import audit, conditions, devices
from controller.services.orders import ON_THE_WAY, Status
from controller.services.settling.judging import objection
from controller.services.settling.moving import absent, finish
from controller.store import notices
from controller.store.tables import ToolExecution
from schemas.errors import ErrorBody, ErrorCode

CALLED_OFF = "command.called_off"


@dataclass(frozen=True, slots=True)
class Departure:
    """A command that the outbox would like to publish. `attempt` is None: only judge it.

    `unsent`: it surely has not left before.
    """

    command_id: str
    attempt: int | None
    unsent: bool


def depart(session: Session, wanted: Sequence[Departure], *, now: datetime) -> list[ToolExecution]:
    """Those that may be published now, each with the attempt written down.

    So `attempt` never goes back, whenever a program is killed.
    """
    leaving: list[ToolExecution] = []
    for each in wanted:
        row = session.get(ToolExecution, each.command_id)
        if row is None or Status(row.status) not in ON_THE_WAY or row.released_at is None:
            continue
        stands = judge_again(session, row.id, now=now) if each.unsent else _may_go_on(session, row, now=now)
        if stands:
            row.attempt = max(row.attempt, each.attempt or 0)
            leaving.append(row)
    return leaving


def judge_again(session: Session, command_id: str, *, now: datetime) -> bool:
    """Whether a command that was let go and has surely not left may still leave."""
    row = session.get(ToolExecution, command_id)
    if row is None or row.status != Status.QUEUED:
        return False
    error = objection(session, row, now=now)
    if error is not None:
        finish(session, row, Status.DENIED, now=now, error=error)
        return False
    if conditions.of(row) == conditions.ONLINE and (away := _absence(session, row, now)) is not None:
        finish(session, row, Status.EXPIRED, now=now, error=away)
        return False
    return True


def _may_go_on(session: Session, row: ToolExecution, *, now: datetime) -> bool:
    """Whether what may have left may be published again; one that its device took on is its device's."""
    if row.status == Status.ACCEPTED:
        return True
    error = objection(session, row, now=now)
    if error is not None:
        audit.record(session, CALLED_OFF, now=now, command=row, detail={"code": error.code})
        notices.announce(session, notices.CancelWanted(row))
    return error is None


def never_sent(session: Session, command_id: str, *, now: datetime) -> None:
    """Settle as `expired` what the outbox knows it never handed to a broker."""
    row = session.get(ToolExecution, command_id)
    if row is not None and row.status == Status.QUEUED:
        away = _absence(session, row, now) if row.when_online or row.condition else None
        error = away or ErrorBody(code=ErrorCode.EXPIRED, message="It expired before it could be sent.")
        finish(session, row, Status.EXPIRED, now=now, error=error)


def _absence(session: Session, row: ToolExecution, now: datetime) -> ErrorBody | None:
    device = devices.find(session, row.device_id)
    if device is None or device.status == devices.DeviceStatus.ONLINE:
        return None
    return absent(device, now=now)


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
