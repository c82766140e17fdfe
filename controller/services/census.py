"""How many there are of what, as a monitor asks it: two counts, each from an index."""

from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from controller.services import orders
from controller.services.devices import DeviceStatus
from controller.services.orders import Status
from controller.store.tables import Device, ToolExecution


@dataclass(frozen=True, slots=True)
class Census:
    """Devices by state, and commands that have not ended by status; none of them is left out."""

    devices: dict[str, int]
    commands: dict[str, int]


def take(session: Session) -> Census:
    """Count."""
    by_state = select(Device.status, func.count()).group_by(col(Device.status))
    open_ones = [status.value for status in Status if status in orders.OPEN]
    by_status = (
        select(ToolExecution.status, func.count())
        .where(col(ToolExecution.status).in_(open_ones))
        .group_by(col(ToolExecution.status))
    )
    return Census(
        {state.value: 0 for state in DeviceStatus} | dict(session.exec(by_state).all()),
        dict.fromkeys(open_ones, 0) | dict(session.exec(by_status).all()),
    )
