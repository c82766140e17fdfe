"""What fails again and again: the same tool, on the same device, with the same words."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session, col

from controller.services import names, orders
from controller.services.orders import Status
from controller.services.stats.ends import Ends, ended
from controller.services.stats.window import Window
from controller.store.tables import ToolExecution

REPEATED = 3  # times that are no habit yet
_KINDS = sorted(orders.FAILURES)


@dataclass(frozen=True, slots=True)
class Failure:
    """One that repeats. `message`: to the letter, as two that differ are two causes; None: nothing was said."""

    device_id: str
    tool: str
    message: str | None
    ends: Ends
    first_at: datetime
    last_at: datetime


def failures(
    session: Session,
    window: Window,
    *,
    device_id: str | None = None,
    more_than: int = REPEATED,
    limit: int = 100,
) -> list[Failure]:
    """What ended without success more than so many times, the most often first. What was cancelled is none.

    Raises:
        UnknownDevice: that device never was here.
    """
    times, status = func.count(), col(ToolExecution.status)
    at, message = col(ToolExecution.finished_at), col(ToolExecution.error_message)
    by = (col(ToolExecution.device_id), col(ToolExecution.tool_name), message)
    query = (
        select(*by, func.min(at), func.max(at), *(func.count().filter(status == kind) for kind in _KINDS))
        .where(*ended(window), col(ToolExecution.success).is_(False), status != Status.CANCELLED.value)
        .group_by(*by)
        .having(times > more_than)
    )
    if device_id is not None:
        names.check_known(session, device_id)
        query = query.where(col(ToolExecution.device_id) == device_id)
    in_order = query.order_by(times.desc(), func.max(at).desc(), *by[:2], func.coalesce(message, ""))
    return [
        Failure(device, tool, said, Ends(_some(counts)), first_at, last_at)
        for device, tool, said, first_at, last_at, *counts in session.execute(in_order.limit(limit))
    ]


def _some(counts: list[int]) -> dict[Status, int]:
    return {status: count for status, count in zip(_KINDS, counts, strict=True) if count}
