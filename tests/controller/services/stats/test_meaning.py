"""A figure counts commands as they really end, over a window that can be looked at."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlmodel import Session

from controller.errors import InvalidArguments, UnknownDevice
from controller.services import commands, settling, stats
from controller.services.orders import Status
from controller.services.stats import Window
from controller.store.tables import Device
from schemas.commands import ReplyStatus
from tests.controller.services.fleet import a_lab, an_order, answer, children_of, ordered
from tests.controller.services.stats.rows import TICK, WINDOW, a_row
from tests.factories import ADMIN, NOON, a_reply, a_request, an_error, later


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
