"""Each figure is what plain counting over all rows finds."""

import statistics
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from controller.services import stats
from controller.services.orders import Status
from controller.store.tables import EventRow, ToolExecution
from tests.controller.services.stats.rows import TICK, WINDOW, fill

SEEDS = range(3)

# what succeeded of what a device was given to do; spelled here once more, as the documents have it
GIVEN = {"succeeded", "failed", "rejected", "interrupted"}
FAILURE = {"failed", "rejected", "interrupted", "denied", "expired"}


def counted(session: Session, *, device_id: str | None = None) -> list[ToolExecution]:
    """The commands that count, looked for one by one."""
    return [
        row
        for row in session.exec(select(ToolExecution))
        if row.finished_at is not None
        and WINDOW.since <= row.finished_at < WINDOW.until
        and not row.dry_run
        and row.group_name is None
        and device_id in (None, row.device_id)
    ]


def rate(rows: list[ToolExecution]) -> float | None:
    given = [row for row in rows if row.status in GIVEN]
    return sum(row.status == "succeeded" for row in given) / len(given) if given else None


def kinds(rows: list[ToolExecution]) -> dict[str, int]:
    ends = {status.value: 0 for status in Status if status.is_final}
    for row in rows:
        ends[row.status] += 1
    return ends


def by(rows: list[ToolExecution], *names: str) -> dict[Any, list[ToolExecution]]:
    found: dict[Any, list[ToolExecution]] = defaultdict(list)
    for row in rows:
        found[tuple(getattr(row, name) for name in names)].append(row)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_said_of_tools_is_what_counting_finds(session: Session, seed: int) -> None:
    fill(session, seed)

    for device_id in (None, "nas"):
        compare_tools(session, device_id)


def compare_tools(session: Session, device_id: str | None) -> None:
    found = stats.usage(session, WINDOW, device_id=device_id)

    rows = by(counted(session, device_id=device_id), "tool_name")
    assert {each.tool for each in found} == {tool for (tool,) in rows}
    for each in found:
        mine = rows[each.tool,]
        took = [row.duration_ms for row in mine if row.status == "succeeded" and row.duration_ms is not None]
        assert each.ends.count == len(mine)
        assert each.ends.counts() == kinds(mine)
        assert each.ends.success_rate == pytest.approx(rate(mine))
        assert each.mean_ms == (pytest.approx(statistics.fmean(took)) if took else None)
    assert found == sorted(found, key=lambda each: (-each.ends.count, each.tool))
    assert stats.usage(session, WINDOW, device_id=device_id, limit=2) == found[:2]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_said_of_devices_is_what_counting_finds(session: Session, seed: int) -> None:
    fill(session, seed)

    for device_id in (None, "nas", "gone", "idle"):
        compare_devices(session, device_id)


def compare_devices(session: Session, device_id: str | None) -> None:
    found = stats.activity(session, WINDOW, device_id=device_id)

    rows = by(counted(session, device_id=device_id), "device_id")
    wanted = {"laptop", "nas", "pump", "idle", "gone"} if device_id is None else {device_id}
    assert {each.device_id for each in found} == wanted
    heard = [row for row in session.exec(select(EventRow)) if WINDOW.since <= row.received_at < WINDOW.until]
    for each in found:
        mine = rows[each.device_id,]
        events = [row.received_at for row in heard if row.device_id == each.device_id]
        ends = [row.finished_at for row in mine if row.finished_at is not None]
        assert each.ends.counts() == kinds(mine)
        assert each.ends.success_rate == pytest.approx(rate(mine))
        assert each.last_command_at == max(ends, default=None)
        assert each.commands == in_periods(ends)
        assert each.events == in_periods(events)
        assert (each.status is None) == (each.device_id == "gone")
    assert found == sorted(found, key=lambda each: (-each.ends.count, each.device_id))


def in_periods(moments: list[datetime]) -> list[int]:
    """How many are in each 24 hours, counted back from the end."""
    found = [0] * 6
    for at in moments:
        found[5 - (WINDOW.until - at - TICK) // timedelta(days=1)] += 1
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_said_of_failures_is_what_counting_finds(session: Session, seed: int) -> None:
    fill(session, seed)

    for device_id, more_than in ((None, 3), (None, 0), ("nas", 1)):
        compare_failures(session, device_id, more_than)


def compare_failures(session: Session, device_id: str | None, more_than: int) -> None:
    found = stats.failures(session, WINDOW, more_than=more_than, device_id=device_id)

    failed = [row for row in counted(session, device_id=device_id) if row.status in FAILURE]
    rows = {
        key: mine
        for key, mine in by(failed, "device_id", "tool_name", "error_message").items()
        if len(mine) > more_than
    }
    assert {(each.device_id, each.tool, each.message) for each in found} == set(rows)
    assert len(found) == len(rows) > 0
    for each in found:
        mine = rows[each.device_id, each.tool, each.message]
        ends = [row.finished_at for row in mine if row.finished_at is not None]
        assert each.ends.counts() == kinds(mine)
        assert (each.first_at, each.last_at) == (min(ends), max(ends))
    assert [each.ends.count for each in found] == sorted((each.ends.count for each in found), reverse=True)
    few = stats.failures(session, WINDOW, more_than=more_than, device_id=device_id, limit=2)
    assert few == found[:2]
