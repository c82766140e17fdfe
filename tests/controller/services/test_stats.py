"""Figures: each is what plain counting over all rows finds, on random rows with every edge among them."""

import statistics
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from sqlalchemy import insert
from sqlmodel import Session, select

from controller.errors import InvalidArguments, UnknownDevice
from controller.services import commands, devices, settling, stats
from controller.services.orders import Status
from controller.services.stats import Window
from controller.store.tables import Device, EventRow, ToolExecution
from schemas.commands import ReplyStatus
from tests.chance import repeatable
from tests.controller.services.fleet import a_lab, an_order, answer, children_of, ordered
from tests.factories import ADMIN, NOON, a_place, a_reply, a_request, an_error, later

WINDOW = Window(NOON - timedelta(days=5, hours=7), NOON)
TICK = timedelta(microseconds=1)
DEVICES = ("laptop", "nas", "pump", "gone")  # `gone` has no place any more
TOOLS = ("list_directory", "delete_path", "light")
MESSAGES = ("It broke.", "It broke", "it broke.", "Schijf é vol: 91 %", "", None)
SEEDS = range(3)

# what succeeded of what a device was given to do; spelled here once more, as the documents have it
GIVEN = {"succeeded", "failed", "rejected", "interrupted"}
FAILURE = {"failed", "rejected", "interrupted", "denied", "expired"}


def a_row(number: int, status: Status = Status.SUCCEEDED, **fields: Any) -> ToolExecution:
    """A command as the store has it once it is over."""
    values: dict[str, Any] = {
        "id": f"{number:06}", "device_id": "laptop", "tool_name": "light", "parameters": {}, "requested_by": "ada",
        "role": "admin", "via": "cli", "trace_id": "t", "decision": "allow", "risk": "low", "timeout_s": 1.0, "valid_s": 1.0,
        "issued_at": NOON - timedelta(days=20), "expires_at": NOON,
    }  # fmt: skip
    if status.is_final:
        values |= {"success": status is Status.SUCCEEDED, "finished_at": NOON - TICK}
    return ToolExecution(status=status.value, **values | fields)


def edges() -> list[datetime]:
    """Moments on both sides of where something begins or ends."""
    found = [WINDOW.until, *(period.since for period in WINDOW.periods())]
    return [at + shift for at in found for shift in (-TICK, TICK * 0, TICK)]


def a_moment(random: Random) -> datetime:
    at_an_edge = random.random() < 0.3
    return random.choice(edges()) if at_an_edge else NOON - timedelta(days=8 * random.random() - 1)


def fill(session: Session, seed: int) -> None:
    """Commands of every kind and events, around the window."""
    random = repeatable(seed)
    for name in ("laptop", "nas", "pump", "idle"):
        devices.add(session, a_place(name), actor=ADMIN, now=NOON)
    rows: list[dict[str, Any]] = []
    for number in range(400):
        status = random.choice(list(Status))
        is_group = random.random() < 0.1
        more: dict[str, Any] = {"finished_at": a_moment(random)} if status.is_final else {}
        if status.is_final and status is not Status.SUCCEEDED:
            more["error_message"] = random.choice(MESSAGES)
        row = a_row(
            number,
            status,
            device_id="" if is_group else random.choice(DEVICES),
            group_name="lab" if is_group else None,
            tool_name=random.choice(TOOLS),
            dry_run=random.random() < 0.1,
            duration_ms=random.choice([None, 0.0, random.expovariate(0.05)]),
            **more,
        )
        rows.append(row.model_dump())
    session.execute(insert(ToolExecution), rows)
    for number in range(100):
        at = a_moment(random)
        session.add(
            EventRow(
                id=str(number), device_id=random.choice(DEVICES), event_type="x", severity="info", data={},
                created_at=NOON, received_at=at,
            )
        )  # fmt: skip
    session.flush()


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


def test_a_failure_repeats_from_the_fourth_time_on(session: Session) -> None:
    for number in range(7):
        message = "It broke." if number < 4 else "It is hot."
        session.add(a_row(number, Status.FAILED, error_message=message))
    session.flush()

    [found] = stats.failures(session, WINDOW)

    assert (found.message, found.ends.count) == ("It broke.", 4)


def test_commands_count_as_they_really_end(session: Session) -> None:
    """What the services write is what is counted: each end once, a group by its devices, no dry run, nothing open."""
    first, second = a_lab(session, 2)
    parent = ordered(session, an_order())
    good, bad = children_of(session, parent)
    answer(session, good)
    answer(session, bad, ReplyStatus.FAILED)
    dry = commands.submit(session, a_request(device_id=first, dry_run=True), actor=ADMIN, now=NOON)
    settling.settle(session, first, a_reply(dry.id), now=NOON)
    commands.submit(session, a_request(device_id=first), actor=ADMIN, now=NOON)  # and it is never answered
    commands.submit(session, a_request(device_id="nowhere"), actor=ADMIN, now=NOON)
    session.flush()

    window = Window(NOON, later(1))
    [tool] = stats.usage(session, window)
    by_device = {each.device_id: each for each in stats.activity(session, window)}

    assert (tool.tool, tool.ends.count, tool.ends.success_rate) == ("create_directory", 3, 0.5)
    assert tool.ends.counts() == dict.fromkeys(tool.ends.counts(), 0) | {
        "succeeded": 1, "failed": 1, "denied": 1,
    }  # fmt: skip
    assert {name: each.ends.count for name, each in by_device.items()} == {first: 1, second: 1, "nowhere": 1}
    assert (by_device[first].status, by_device["nowhere"].status) == ("online", None)
    [failure] = stats.failures(session, window, device_id=second, more_than=0)
    assert failure.message == an_error().message
    assert parent.finished_at is not None  # the row of the whole is over as well, and not counted


def test_nothing_has_no_rate_and_no_mean(session: Session) -> None:
    session.add(a_row(1, Status.DENIED))
    session.flush()

    [found] = stats.usage(session, WINDOW)

    assert (found.ends.count, found.ends.success_rate, found.mean_ms) == (1, None, None)
    assert stats.usage(session, Window(NOON, later(1))) == []
    assert stats.activity(session, Window(NOON, later(1))) == []


@pytest.mark.parametrize("counts", [stats.usage, stats.activity, stats.failures])
def test_a_device_that_never_was_here_is_no_empty_answer(session: Session, counts: Any) -> None:
    session.add(a_row(1, device_id="removed", finished_at=NOON - timedelta(days=300)))
    session.add(Device(id="1", device_id="quiet", registered_at=NOON, updated_at=NOON))
    session.flush()

    counts(session, WINDOW, device_id="removed")
    counts(session, WINDOW, device_id="quiet")
    with pytest.raises(UnknownDevice):
        counts(session, WINDOW, device_id="laptpo")


@pytest.mark.parametrize(
    ("length", "periods", "days"),
    [
        (TICK, 1, 1),
        (timedelta(days=1), 1, 1),
        (timedelta(days=1) + TICK, 2, 1),
        (timedelta(days=30), 30, 1),
        (timedelta(days=92), 92, 1),
        (timedelta(days=92) + TICK, 47, 2),
        (timedelta(days=3_653), 92, 40),
    ],
)
def test_a_window_is_cut_into_whole_days_from_its_end(length: timedelta, periods: int, days: int) -> None:
    window = Window(NOON - length, NOON)
    found = window.periods()

    assert (len(found), window.step) == (periods, timedelta(days=days))
    assert (found[0].since, found[-1].until) == (window.since, window.until)
    assert all(one.until == other.since for one, other in pairwise(found))
    assert all(each.until - each.since == window.step for each in found[1:])


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (NOON, NOON),
        (later(1), NOON),
        (later(1), None),
        (NOON - timedelta(days=3_654), NOON),
        (None, NOON.replace(year=1, month=1, day=2)),
    ],
)
def test_a_window_that_cannot_be_looked_at_is_refused(since: datetime | None, until: datetime | None) -> None:
    with pytest.raises(InvalidArguments, match=r"^(since|until): "):
        Window.of(since, until, now=NOON)
