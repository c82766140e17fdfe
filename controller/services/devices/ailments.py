"""Which devices a person should look at: silent, doubled, or with a wrong clock."""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from controller.services.devices.clocks import MAX_SKEW
from controller.services.devices.status import DeviceStatus
from controller.store.tables import Device

AT_MOST = 50  # of each kind


@dataclass(frozen=True, slots=True)
class Ailments:
    """Ids of devices; `skewed` with the seconds that each clock is ahead."""

    stale: list[str]
    conflicting: list[str]
    skewed: dict[str, float]


def ailing(session: Session, *, max_skew_s: float = MAX_SKEW) -> Ailments:
    """What is wrong with devices now."""
    in_order = select(Device).order_by(col(Device.device_id)).limit(AT_MOST)
    stale = session.exec(in_order.where(Device.status == DeviceStatus.STALE.value))
    skew = col(Device.clock_skew_s)
    skewed = session.exec(in_order.where((skew > max_skew_s) | (skew < -max_skew_s)))
    doubled = session.exec(in_order.where(col(Device.doubled_at).is_not(None)))
    return Ailments(
        stale=[row.device_id for row in stale],
        conflicting=[row.device_id for row in doubled],
        skewed={row.device_id: row.clock_skew_s or 0.0 for row in skewed},
    )
