"""Which tools are used, how long they take and how often they succeed."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import Session, col

from controller.services import names
from controller.services.orders import Status
from controller.services.stats.ends import Ends, ended, gathered
from controller.services.stats.window import Window
from controller.store.tables import ToolExecution


@dataclass(frozen=True, slots=True)
class Usage:
    """One tool. `mean_ms`: of those that succeeded, as their devices measured it; a timeout would tell nothing."""

    tool: str
    ends: Ends
    mean_ms: float | None


def usage(session: Session, window: Window, *, device_id: str | None = None, limit: int = 100) -> list[Usage]:
    """The tools that were used, the most used first.

    Raises:
        UnknownDevice: that device never was here.
    """
    tool, status = col(ToolExecution.tool_name), col(ToolExecution.status)
    query = select(tool, status, func.count(), func.avg(col(ToolExecution.duration_ms))).where(*ended(window))
    if device_id is not None:
        names.check_known(session, device_id)
        # an expression: SQLite would go through the device's rows, and sort them, instead of the index that has all
        query = query.where(col(ToolExecution.device_id).concat("") == device_id)
    rows = session.execute(query.group_by(tool, status)).all()
    means = {name: mean for name, end, _count, mean in rows if end == Status.SUCCEEDED}
    by_tool = gathered((name, end, count) for name, end, count, _mean in rows)
    found = [Usage(name, ends, means.get(name)) for name, ends in by_tool.items()]
    return sorted(found, key=lambda each: (-each.ends.count, each.tool))[:limit]
