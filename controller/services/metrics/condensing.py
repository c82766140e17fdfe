"""Many rows into one: what came into five minutes, five minutes into an hour, whole periods only.

A period is begun before it is looked at, and done once it is written. Who adds to one that was begun
works that in by itself, in the same transaction; so a period that is done holds everything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, select

from controller.services import events
from controller.services.metrics.sample import Sample
from controller.services.retention import COARSE, FINE
from controller.store import upserts
from controller.store.tables import METADATA, Metric, MetricProgress

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SETTLES = timedelta(seconds=60)  # after a period, until what came in it is normally stored

_ROWS = METADATA.tables["metrics"]
_PROGRESS = METADATA.tables["metric_progress"]
_KEY = ("device_id", "measure", "seconds", "at")


@dataclass(frozen=True, slots=True)
class Progress:
    """Up to where periods of one length may be written, and up to where they are."""

    begun: datetime = EPOCH
    done: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class Step:
    """Rows of `source` seconds become such of `target` seconds."""

    source: int
    target: int

    @property
    def length(self) -> timedelta:
        return timedelta(seconds=self.target)

    def period(self, at: datetime) -> datetime:
        """When the period of that moment began."""
        return EPOCH + (at - EPOCH) // self.length * self.length


STEPS = (Step(0, FINE), Step(FINE, COARSE))


def progress(session: Session) -> dict[int, Progress]:
    """How far each of `STEPS` is, by the length of its periods."""
    rows = session.exec(select(MetricProgress.seconds, MetricProgress.begun, MetricProgress.done))
    found = {seconds: Progress(begun, done) for seconds, begun, done in rows}
    return {step.target: found.get(step.target, Progress()) for step in STEPS}


def due(session: Session, step: Step, *, now: datetime) -> datetime | None:
    """The earliest period that is over and not done; None: there is none, or nothing in it."""
    found = progress(session)
    over = found[step.source].done if step.source else now - SETTLES
    query = select(func.min(Metric.at)).where(
        Metric.seconds == step.source, Metric.at >= found[step.target].done
    )
    first: datetime | None = session.exec(query).one()
    if first is None or step.period(first) + step.length > over:
        return None
    return step.period(first)


def begin(session: Session, step: Step, start: datetime) -> None:
    """From here on, what is added to that period is worked in by whoever adds it."""
    _keep_progress(session)
    _move(session, step, "begun", start + step.length)


def means(session: Session, step: Step, start: datetime) -> list[Sample]:
    """What one period holds, by device and measure."""
    return _found(session, start, _condensed(step, start))


def put(session: Session, step: Step, rows: Sequence[Sample]) -> None:
    """Write some of what a period holds; a row that is there and holds as many values stays."""
    there = events.with_a_place(session, {row.device_id for row in rows})
    if kept := [row.row(step.target) for row in rows if row.device_id in there]:
        upserts.put_fullest(session.connection(), _ROWS, kept, key=_KEY, by="count")


def finish(session: Session, step: Step, start: datetime) -> None:
    """All rows of that period are written; what they were made of may go."""
    _move(session, step, "done", start + step.length)


def hold(session: Session) -> dict[int, Progress]:
    """How far each step is; nobody begins with another period before this transaction ends."""
    _keep_progress(session)
    session.exec(select(MetricProgress.seconds).with_for_update(read=True)).all()
    return progress(session)


def catch_up(session: Session, added: Iterable[Sample], found: Mapping[int, Progress]) -> None:
    """Work what was added just now into the periods that were begun before."""
    places = {(each.device_id, each.measure, each.at) for each in added}
    for step in STEPS:
        begun = found[step.target].begun
        places = {(device_id, measure, step.period(at)) for device_id, measure, at in places if at < begun}
        rows: list[Sample] = []
        for device_id, measure, start in sorted(places):
            query = _condensed(step, start)
            query = query.where(_ROWS.c.device_id == device_id, _ROWS.c.measure == measure)
            rows += _found(session, start, query)
        put(session, step, rows)


def _found(session: Session, start: datetime, query: Select[Any]) -> list[Sample]:
    rows = session.connection().execute(query)
    return [Sample(device_id, measure, start, *values) for device_id, measure, *values in rows]


def _condensed(step: Step, start: datetime) -> Select[Any]:
    count = func.sum(_ROWS.c.count)
    return (
        select_columns(
            _ROWS.c.device_id,
            _ROWS.c.measure,
            count,
            func.sum(_ROWS.c.mean * _ROWS.c.count) / count,
            func.min(_ROWS.c.low),
            func.max(_ROWS.c.high),
        )
        .where(_ROWS.c.seconds == step.source, _ROWS.c.at >= start, _ROWS.c.at < start + step.length)
        .group_by(_ROWS.c.device_id, _ROWS.c.measure)
    )


def _keep_progress(session: Session) -> None:
    rows = [{"seconds": step.target, "begun": EPOCH, "done": EPOCH} for step in STEPS]
    upserts.insert_new(session.connection(), _PROGRESS, rows)


def _move(session: Session, step: Step, name: str, to: datetime) -> None:
    column = _PROGRESS.c[name]
    session.connection().execute(
        update(_PROGRESS).where(_PROGRESS.c.seconds == step.target, column < to).values({name: to})
    )
