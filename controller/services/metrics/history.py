"""Looking back: the finest rows that cover the time, in even steps, with what is not condensed yet at their end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlalchemy import select as select_columns
from sqlmodel import Session, select

from controller.errors import UnknownMeasure
from controller.services import devices
from controller.services.metrics.condensing import EPOCH, STEPS, progress
from controller.services.metrics.measures import unit
from controller.services.retention import COARSE, FINE, FINE_FOR, RAW_FOR
from controller.store.tables import METADATA, Metric

_ROWS = METADATA.tables["metrics"]

MAX_POINTS = 1_000  # of one measure
MAX_SERIES = 200  # measures of one device that are looked for: it may have had others in earlier years
MINUTE = 60  # seconds: as fine as what came is kept, or nearly
WIDTHS = (  # seconds that a step may have
    MINUTE, 120, FINE, 600, 900, 1_800, COARSE, 7_200, 10_800, 21_600, 43_200,
    86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400, 28 * 86_400,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """What one step of the time holds. `at`: its beginning."""

    at: datetime
    count: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Series:
    """One measure over the time; a step without a value has no point."""

    measure: str
    unit: str
    points: list[Point]

    @property
    def whole(self) -> Point:
        """All of it in one."""
        return _together(self.points[0].at, self.points)


@dataclass(frozen=True, slots=True)
class History:
    """What a device measured from `since` to `until`. `rows_s`: what the rows that were read stand for."""

    device_id: str
    since: datetime
    until: datetime
    step_s: int
    rows_s: int
    series: list[Series]


def history(
    session: Session,
    device_id: str,
    *,
    now: datetime,
    back: timedelta,
    measure: str | None = None,
    points: int = 60,
) -> History:
    """The last `back` of a device, in `points` steps at most.

    `measure` is one of them, or the kind of several: `disk` stands for `disk:/` and `disk:/home`.

    Raises:
        UnknownDevice: it has no place here.
        UnknownMeasure: it has not measured such a thing in that time; the message says what it has.
    """
    devices.get(session, device_id)
    since = now - back
    rows_s = 0 if back <= RAW_FOR else FINE if back <= FINE_FOR else COARSE
    step_s = _width(back.total_seconds() / points, at_least=rows_s)
    every = list(_measures(session, device_id))
    found: list[Series] = []
    for name in every:
        if measure is None or measure in (name, name.partition(":")[0]):
            rows = _rows(session, device_id, name, since, rows_s)
            if rows:
                found.append(Series(name, unit(name), _steps(rows, timedelta(seconds=step_s))))
    if measure is not None and not found:
        raise UnknownMeasure(device_id, measure, every)
    return History(device_id, since, now, step_s, rows_s, found)


def _width(seconds: float, *, at_least: int) -> int:
    return next((each for each in WIDTHS if each >= max(seconds, at_least)), WIDTHS[-1])


def _measures(session: Session, device_id: str) -> Iterator[str]:
    """What there are rows of, by name: from one to the next, as there may be very many rows of each."""
    last = ""
    for _ in range(MAX_SERIES):
        query = select(func.min(Metric.measure)).where(Metric.device_id == device_id, Metric.measure > last)
        found: str | None = session.exec(query).one()
        if found is None:
            return
        yield found
        last = found


def _rows(session: Session, device_id: str, measure: str, since: datetime, rows_s: int) -> list[Point]:
    """The rows of that kind as far as they are made, then finer ones."""
    done = progress(session)
    kinds = [step.target for step in reversed(STEPS) if step.target <= rows_s]
    found: list[Point] = []
    for seconds in (*kinds, 0):
        until = done[seconds].done if seconds else None
        query = select_columns(_ROWS.c.at, _ROWS.c.count, _ROWS.c.mean, _ROWS.c.low, _ROWS.c.high).where(
            _ROWS.c.device_id == device_id,
            _ROWS.c.measure == measure,
            _ROWS.c.seconds == seconds,
            _ROWS.c.at >= since,
        )
        if until is not None:
            query = query.where(_ROWS.c.at < until)
            since = max(since, until)
        found += [Point(*row) for row in session.connection().execute(query.order_by(_ROWS.c.at))]
    return found


def _steps(rows: Sequence[Point], step: timedelta) -> list[Point]:
    """Rows in order as even steps of the time."""
    steps: dict[datetime, list[Point]] = {}
    for row in rows:
        steps.setdefault(EPOCH + (row.at - EPOCH) // step * step, []).append(row)
    return [_together(at, held) for at, held in steps.items()]


def _together(at: datetime, points: Sequence[Point]) -> Point:
    count = sum(each.count for each in points)
    return Point(
        at=at,
        count=count,
        mean=sum(each.mean * each.count for each in points) / count,
        low=min(each.low for each in points),
        high=max(each.high for each in points),
    )
