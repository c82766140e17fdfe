"""Samples, the rows they become, and condensing a piece at a time."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from controller.services import metrics
from controller.services.metrics import STEPS, Sample
from controller.store.tables import Metric
from tests.factories import later

LONG_AFTER = later(3 * 3600)
Rows = list[tuple[str, str, datetime, int, float, float, float]]


def a_sample(seconds: float = 0.0, value: float = 10.0, **fields: Any) -> Sample:
    values: dict[str, Any] = {"device_id": "laptop", "measure": "cpu", "count": 1} | fields
    spread = {"mean": value, "low": values.pop("low", value), "high": values.pop("high", value)}
    return Sample(at=later(seconds), **values, **spread)


def rows(session: Session, seconds: int) -> Rows:
    found = session.exec(
        select(Metric).where(Metric.seconds == seconds).execution_options(populate_existing=True)
    )
    return sorted(
        (row.device_id, row.measure, row.at, row.count, row.mean, row.low, row.high) for row in found
    )


def pieces(session: Session, now: datetime) -> Iterator[None]:
    """Condense all that is over, one transaction's work at a time."""
    for step in STEPS:
        while (start := metrics.due(session, step, now=now)) is not None:
            metrics.begin(session, step, start)
            yield
            for row in metrics.means(session, step, start):
                metrics.put(session, step, [row])
                yield
            metrics.finish(session, step, start)
            yield


def condense(session: Session, now: datetime = LONG_AFTER) -> None:
    for _ in pieces(session, now):
        pass
