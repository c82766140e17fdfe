"""What is kept for how long: what is over and old goes, and nothing else does."""

import asyncio
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlmodel import Session, select

from controller.cleaner import Cleaner
from controller.services import audit, conversations, devices, events, memories, retention
from controller.services.memories import NewMemory
from controller.services.orders import Status
from controller.services.retention import Keep
from controller.store.store import Store
from controller.store.tables import (
    AuditEntry,
    EventRow,
    MemoryRow,
    Message,
    Metric,
    MetricProgress,
    RequestKey,
    ToolExecution,
)
from tests.factories import ADMIN, NOON, OPERATOR, a_place, an_event, an_execution
from tests.plans import explained

KEEP = Keep.for_days(commands=90, events=30, messages=365)
AGES = (0, 29, 31, 89, 91, 364, 366, 729, 731)  # days, on either side of each limit


def before(days: float) -> datetime:
    return NOON - timedelta(days=days)


def an_order(number: str, status: Status, *, expired: float, ended: float | None) -> ToolExecution:
    return an_execution(
        number,
        status=status.value,
        issued_at=before(expired),
        expires_at=before(expired),
        finished_at=None if ended is None else before(ended),
    )


def fill(session: Session) -> None:
    """Some of everything, of every age."""
    devices.add(session, a_place(), actor=ADMIN, now=before(800))
    talk = conversations.begin(session, actor=OPERATOR, now=before(800))
    for age in AGES:
        for status in Status:
            ended = age if status.is_final else None
            session.add(an_order(f"{status}-{age}", status, expired=age, ended=ended))
        session.add(an_order(f"late-{age}", Status.SUCCEEDED, expired=age, ended=0))  # it ended just now
        for resolved in (None, 0, age):
            event = an_event(f"{age}-{resolved}", at=before(age))
            events.store(session, "laptop", event, now=before(age))
            session.flush()
            row = session.get_one(EventRow, (event.id, "laptop"))
            row.resolved, row.resolved_at = (
                resolved is not None,
                None if resolved is None else before(resolved),
            )
        conversations.say(session, talk, "user", f"said {age} days ago", now=before(age))
        for seconds in (0, retention.FINE, retention.COARSE):
            session.add(
                Metric(
                    device_id="laptop", measure="cpu", seconds=seconds, at=before(age), mean=1, low=1, high=1
                )
            )
        audit.record(session, "something", now=before(age))
        session.add(
            RequestKey(
                username="ada", hash=str(age), fingerprint="f", command_id="c", at=before(max(age, 0.9))
            )
        )
        for ends in (before(age), NOON + timedelta(days=age + 1), None):
            new = NewMemory(f"{age} {ends}", "it", memories.own(OPERATOR), expires_at=ends)
            memories.remember(session, new, actor=OPERATOR, now=before(800))
    for seconds in (retention.FINE, retention.COARSE):  # all of it is in the coarser rows
        session.add(MetricProgress(seconds=seconds, begun=NOON, done=NOON))


def left(session: Session) -> dict[str, set[str]]:
    return {
        "commands": set(session.exec(select(ToolExecution.id))),
        "events": set(session.exec(select(EventRow.id))),
        "messages": set(session.exec(select(Message.content))),
        "metrics": {f"{row.seconds} {row.at}" for row in session.exec(select(Metric))},
        "memory": set(session.exec(select(MemoryRow.key))),
        "request_keys": set(session.exec(select(RequestKey.hash))),
    }


def expected() -> dict[str, set[str]]:
    """What has to be left, row by row, in words of its own."""
    open_ones = {f"{status}-{age}" for age in AGES for status in Status if not status.is_final}
    young = {f"{status}-{age}" for age in AGES if age <= 90 for status in Status}
    metric_days = {0: 1, retention.FINE: 30, retention.COARSE: 730}
    return {
        "commands": open_ones | young | {f"late-{age}" for age in AGES},
        "events": {f"{age}-{end}" for age in AGES for end in (None, 0, age) if end is None or end <= 30},
        "messages": {f"said {age} days ago" for age in AGES if age <= 365},
        "metrics": {
            f"{sec} {before(age)}" for sec, days in metric_days.items() for age in AGES if age <= days
        },
        "memory": {f"{age} {ends}" for age in AGES for ends in (NOON + timedelta(days=age + 1), None)},
        "request_keys": {"0"},
    }


async def test_what_is_over_and_old_goes_and_nothing_else(store: Store) -> None:
    await store.write(fill)
    there, audited = await store.read(left), await store.read(lambda session: len(audit.entries(session)))
    cleaner = Cleaner(store, KEEP, now=lambda: NOON)

    would_go = await cleaner.count()
    assert await store.read(left) == there
    gone = await cleaner.clean(actor=ADMIN)

    assert await store.read(left) == expected()
    assert gone == would_go == {name: len(there[name] - expected()[name]) for name in there}
    assert await store.read(lambda session: len(audit.entries(session))) == audited + 1
    (entry,) = await store.read(partial(audit.entries, action="store.cleaned"))
    assert (entry.actor, entry.detail) == (ADMIN.user, gone)


async def test_a_store_without_anything_old_is_not_told_of(store: Store) -> None:
    assert not any((await Cleaner(store, KEEP).clean()).values())
    assert await store.read(lambda session: list(session.exec(select(AuditEntry)))) == []


async def test_what_is_kept_for_ever_stays(store: Store) -> None:
    await store.write(fill)
    cleaner = Cleaner(store, Keep.for_days(commands=0, events=0, messages=0), now=lambda: NOON)

    gone = await cleaner.clean()

    assert set(gone) == {"metrics", "memory", "request_keys"}


@pytest.mark.parametrize("name", ["commands", "events", "messages", "metrics", "memory", "request_keys"])
def test_a_step_looks_at_no_more_than_it_takes(session: Session, name: str) -> None:
    """What stays, as old events that nobody resolved, is not read again at every step."""
    rule = next(rule for rule in retention.rules(KEEP) if rule.name == name)

    plan = explained(
        session,
        lambda: retention.step(session, rule, now=NOON, for_s=1),
        table=rule.table.name,
    )

    assert plan.by_index, plan
    assert not plan.sorts, plan


def test_a_step_that_has_no_time_left_ends_with_a_few_rows(session: Session) -> None:
    for number in range(retention.MOST):
        session.add(an_order(f"old-{number}", Status.SUCCEEDED, expired=100, ended=100))
    session.flush()
    rule = next(rule for rule in retention.rules(KEEP) if rule.name == "commands")

    assert retention.step(session, rule, now=NOON, for_s=0) == retention.FIRST
    assert retention.step(session, rule, now=NOON, for_s=60) == retention.MOST - retention.FIRST
    assert retention.step(session, rule, now=NOON, for_s=60) == 0


async def test_others_have_their_turn_while_much_is_deleted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.cleaner.AIM", 0.002)

    def many(session: Session) -> None:
        for number in range(2_000):
            session.add(an_order(f"old-{number}", Status.SUCCEEDED, expired=100, ended=100))

    await store.write(many)
    turns: list[int] = []

    async def others() -> None:
        while True:
            await store.write(lambda session: turns.append(len(session.exec(select(ToolExecution.id)).all())))

    cleaner = Cleaner(store, KEEP, now=lambda: NOON)
    beside = asyncio.create_task(others())
    gone = await cleaner.clean()
    beside.cancel()
    await asyncio.wait((beside,))

    assert gone["commands"] == 2_000
    assert (
        len({count for count in turns if 0 < count < 2_000}) >= 3
    )  # it was done in steps, and others came between
