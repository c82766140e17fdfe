"""What is kept for how long. Whatever is not over stays, however old it is; the audit is not touched.

Memory goes by the time that it was given itself; the sweep mostly was there before.

A step deletes rows for a bounded time, oldest first, so that whoever writes beside it does not wait.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, Table, and_, delete, func, select, tuple_
from sqlmodel import Session, col

from controller.services import orders, repeats
from controller.services.memories import finding
from controller.store.tables import (
    METADATA,
    EventRow,
    MemoryRow,
    Message,
    Metric,
    MetricProgress,
    RequestKey,
    ToolExecution,
)

RAW_FOR = timedelta(hours=24)  # of what devices measured
FINE_FOR = timedelta(days=30)  # five minutes a row
COARSE_FOR = timedelta(days=730)  # an hour a row
FINE, COARSE = 300, 3_600  # seconds that such a row stands for
FIRST, MOST = 5, 500  # rows of one statement: it cannot be ended in the middle


@dataclass(frozen=True, slots=True)
class Keep:
    """For how long; None: for ever."""

    commands: timedelta | None = timedelta(days=90)
    events: timedelta | None = timedelta(days=30)  # that are resolved
    messages: timedelta | None = timedelta(days=365)

    @classmethod
    def for_days(cls, *, commands: int, events: int, messages: int) -> "Keep":
        """The same in days; 0 is for ever."""
        found = [timedelta(days=each) if each else None for each in (commands, events, messages)]
        return cls(*found)


@dataclass(frozen=True, slots=True)
class Rule:
    """What may go of one table."""

    name: str
    table: Table
    is_over: Callable[[datetime], ColumnElement[bool]]
    by_age: SQLColumnExpression[Any]


def rules(keep: Keep) -> list[Rule]:
    """All of them, for these times."""
    kept = ((0, RAW_FOR), (FINE, FINE_FOR), (COARSE, COARSE_FOR))
    found = [_of_metrics(seconds, age) for seconds, age in kept]
    found.append(_rule("memory", MemoryRow, finding.over, col(MemoryRow.expires_at)))
    found.append(_rule("request_keys", RequestKey, repeats.over, col(RequestKey.at)))
    if (age := keep.commands) is not None:
        found.append(_rule("commands", ToolExecution, _older_commands(age), col(ToolExecution.expires_at)))
    if (age := keep.events) is not None:
        found.append(_rule("events", EventRow, _older_events(age), col(EventRow.created_at)))
    if (age := keep.messages) is not None:
        found.append(_rule("messages", Message, _older_messages(age), col(Message.created_at)))
    return found


def count(session: Session, wanted: Iterable[Rule], *, now: datetime) -> dict[str, int]:
    """How many rows would go, by what they are."""
    found: dict[str, int] = {}
    for rule in wanted:
        query = select(func.count()).select_from(rule.table).where(rule.is_over(now))
        found[rule.name] = found.get(rule.name, 0) + session.execute(query).scalar_one()
    return found


def step(session: Session, rule: Rule, *, now: datetime, for_s: float) -> int:
    """Delete rows for about so many seconds, in the caller's transaction; how many. 0: none are left."""
    ends, gone, at_once = perf_counter() + for_s, 0, FIRST
    while True:
        begun = perf_counter()
        rows = _delete(session, rule, now=now, at_most=at_once)
        gone += rows
        fitting = round(at_once * (ends - perf_counter()) / (perf_counter() - begun))
        if rows < at_once or fitting < 1:
            return gone
        at_once = min(fitting, at_once * 2, MOST)


def _delete(session: Session, rule: Rule, *, now: datetime, at_most: int) -> int:
    key = tuple_(*rule.table.primary_key)
    oldest = select(*rule.table.primary_key).where(rule.is_over(now)).order_by(rule.by_age).limit(at_most)
    return session.connection().execute(delete(rule.table).where(key.in_(oldest))).rowcount


def _rule(
    name: str,
    model: type[ToolExecution | EventRow | MemoryRow | Message | Metric | RequestKey],
    is_over: Callable[[datetime], ColumnElement[bool]],
    by_age: SQLColumnExpression[Any],
) -> Rule:
    return Rule(name, METADATA.tables[str(model.__tablename__)], is_over, by_age)


def _of_metrics(seconds: int, age: timedelta) -> Rule:
    coarser = {0: FINE, FINE: COARSE}.get(seconds)

    def is_over(now: datetime) -> ColumnElement[bool]:
        old = and_(col(Metric.seconds) == seconds, col(Metric.at) < now - age)
        if coarser is None:
            return old
        # what is not in the coarser rows yet stays, however old it is
        done = (
            select(col(MetricProgress.done)).where(col(MetricProgress.seconds) == coarser).scalar_subquery()
        )
        return and_(old, col(Metric.at) < done)

    return _rule("metrics", Metric, is_over, col(Metric.at))


def _older_commands(age: timedelta) -> Callable[[datetime], ColumnElement[bool]]:
    # by its expiry, which has an index; when it ended must be as long ago. Said as what it is not:
    # told what it may be, SQLite would collect and sort all of that, at every step
    return lambda now: and_(
        col(ToolExecution.expires_at) < now - age,
        col(ToolExecution.finished_at) < now - age,
        col(ToolExecution.status).not_in([each.value for each in orders.Status if not each.is_final]),
    )


def _older_events(age: timedelta) -> Callable[[datetime], ColumnElement[bool]]:
    return lambda now: and_(
        col(EventRow.created_at) < now - age,
        col(EventRow.resolved),  # in the words of the index that has only these
        col(EventRow.resolved_at) < now - age,
    )


def _older_messages(age: timedelta) -> Callable[[datetime], ColumnElement[bool]]:
    return lambda now: col(Message.created_at) < now - age
