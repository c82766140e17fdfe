"""Which devices a person should look at: silent, doubled, or with a wrong clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from controller.services import events
from controller.services.devices.clocks import MAX_SKEW
from controller.services.devices.conflicts import IDENTITY_CONFLICT
from controller.services.devices.status import DeviceStatus
from controller.store.tables import Device

LATELY = timedelta(hours=2)  # a conflict that goes on is told every hour
AT_MOST = 50  # of each kind


@dataclass(frozen=True, slots=True)
class Ailments:
    """Ids of devices; `skewed` with the seconds that each clock is ahead."""

    stale: list[str]
    conflicting: list[str]
    skewed: dict[str, float]


def ailing(session: Session, *, now: datetime, max_skew_s: float = MAX_SKEW) -> Ailments:
    """What is wrong with devices now."""
    in_order = select(Device).order_by(col(Device.device_id)).limit(AT_MOST)
    stale = session.exec(in_order.where(Device.status == DeviceStatus.STALE.value))
    skew = col(Device.clock_skew_s)
    skewed = session.exec(in_order.where((skew > max_skew_s) | (skew < -max_skew_s)))
    told = events.recent(session, event_type=IDENTITY_CONFLICT, unresolved=True, limit=AT_MOST)
    return Ailments(
        stale=[row.device_id for row in stale],
        conflicting=sorted({event.device_id for event in told if now - event.received_at < LATELY}),
        skewed={row.device_id: row.clock_skew_s or 0.0 for row in skewed},
    )
