"""Which devices a person should look at: silent, doubled, with a wrong clock, or shut out."""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from controller.services.devices.clocks import MAX_SKEW
from controller.services.devices.status import DeviceStatus
from controller.store.tables import Device
from schemas.wire import format_instant

AT_MOST = 50  # of each kind


@dataclass(frozen=True, slots=True)
class Ailments:
    """Ids of devices; `skewed` with the seconds that each clock is ahead, `shut_out` with until when."""

    stale: list[str]
    conflicting: list[str]
    skewed: dict[str, float]
    shut_out: dict[str, str]


def ailing(session: Session, *, max_skew_s: float = MAX_SKEW) -> Ailments:
    """What is wrong with devices now."""
    in_order = select(Device).order_by(col(Device.device_id)).limit(AT_MOST)
    stale = session.exec(in_order.where(Device.status == DeviceStatus.STALE.value))
    skew = col(Device.clock_skew_s)
    skewed = session.exec(in_order.where((skew > max_skew_s) | (skew < -max_skew_s)))
    doubled = session.exec(in_order.where(col(Device.doubled_at).is_not(None)))
    shut_out = session.exec(in_order.where(col(Device.suspended_until).is_not(None)))
    return Ailments(
        stale=[row.device_id for row in stale],
        conflicting=[row.device_id for row in doubled],
        skewed={row.device_id: row.clock_skew_s or 0.0 for row in skewed},
        shut_out={
            row.device_id: format_instant(row.suspended_until) for row in shut_out if row.suspended_until
        },
    )
