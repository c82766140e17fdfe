"""How far a device's clock is from the controller's, measured from live heartbeats.

A heartbeat that was held up looks like a clock that is behind, never like one that is
ahead; the median of the last three leaves a single delay out.
"""

import statistics
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from controller.services import events
from controller.store.tables import Device, EventRow
from schemas.devices import Heartbeat
from schemas.events import Event, Severity
from schemas.ids import new_id

CLOCK_SKEW = "clock_skew"
MAX_SKEW = 30.0  # seconds; beyond it a person is told
WELL_AGAIN = 0.5  # of that: nearer than this the clock is right again
KEPT = 3  # measurements
OTHER = 2.0  # so many times as far, or as near, or to the other side: told anew
_PREFIX = "clock-skew-"  # of our own events: a device may send some of that type itself


def measured(row: Device, heartbeat: Heartbeat, *, received_at: datetime) -> list[float]:
    """The last few measurements of this life, with this one."""
    before: list[float] = (row.pulse or {}).get("skews") or []
    return [*before, round((heartbeat.at - received_at).total_seconds(), 3)][-KEPT:]


def judge(session: Session, row: Device, skews: Sequence[float], *, now: datetime, max_skew_s: float) -> None:
    """Note the skew; raise an event when it is large, once an episode, and resolve it when it is over.

    A skew that is not what was told any more is another episode.
    """
    before, skew = row.clock_skew_s, _smoothed(skews)
    row.clock_skew_s = skew
    if abs(skew) > max_skew_s:
        if len(skews) == KEPT:
            _tell_large(session, row, skew, now=now)
    elif before is not None and abs(skew) < max_skew_s * WELL_AGAIN <= abs(before):
        for told in _open(session, row.device_id):
            _tell(session, row, Severity.INFO, now=now, resolves=told.id)


def _tell_large(session: Session, row: Device, skew: float, *, now: datetime) -> None:
    told = _open(session, row.device_id)
    outdated = [event for event in told if _is_other(skew, event.data.get("skew_s"))]
    for event in outdated:
        _tell(session, row, Severity.INFO, now=now, resolves=event.id)
    if len(outdated) == len(told):
        _tell(session, row, Severity.WARNING, now=now)


def _is_other(skew: float, told: Any) -> bool:
    """Whether who reads what was told would look for something else than there is."""
    if not isinstance(told, int | float) or skew * told <= 0:
        return True
    return not 1 / OTHER <= skew / told <= OTHER


def _smoothed(skews: Sequence[float]) -> float:
    """The median of three; of fewer the smallest, for a delay only ever adds to what is measured."""
    return statistics.median(skews) if len(skews) == KEPT else min(skews, key=abs)


def _open(session: Session, device_id: str) -> list[EventRow]:
    # by their ids alone, which are few: any other index would bring all that a device ever sent
    ours = col(EventRow.id).between(_PREFIX, _PREFIX + "~")
    of_device = col(EventRow.device_id).concat("") == device_id
    told = session.exec(select(EventRow).where(ours, of_device))
    return [row for row in told if row.severity == Severity.WARNING and not row.resolved]


def _tell(
    session: Session, row: Device, severity: Severity, *, now: datetime, resolves: str | None = None
) -> None:
    event = Event(
        id=f"{_PREFIX}{new_id()}",
        type=CLOCK_SKEW,
        severity=severity,
        data={"skew_s": round(row.clock_skew_s or 0)},
        at=now,
        resolves=resolves,
    )
    events.store(session, row.device_id, event, now=now)
