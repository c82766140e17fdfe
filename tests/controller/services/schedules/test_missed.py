"""Runs whose time went by: the controller was off, or its clock leapt."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from controller.services.schedules import AT_MOST, Missed
from controller.store.tables import Device
from tests.controller.services.schedules.planned import SIX, add, ordered, ran, sweep

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("policy", "planned", "outcomes"),
    [
        (Missed.SKIP, [SIX], ["skipped"]),
        (Missed.ONCE, [SIX], ["ordered"]),
        (Missed.ALL, [SIX, SIX + DAY, SIX + 2 * DAY], ["ordered"] * 3),
    ],
)
def test_what_becomes_of_three_days_is_as_was_said(
    session: Session, laptop: Device, otto: str, policy: Missed, planned: list[str], outcomes: list[str]
) -> None:
    schedule = add(session, missed=policy)
    now = SIX + 2 * DAY + HOUR

    sweep(session, now)
    sweep(session, now + MINUTE)

    assert [run.planned_at for run in ran(session)] == planned
    assert [run.outcome for run in ran(session)] == outcomes
    assert len(ordered(session)) == outcomes.count("ordered")
    assert schedule.next_run_at == SIX + 3 * DAY
    assert all(each.expires_at == now + MINUTE for each in ordered(session)), "none takes effect hours late"


@pytest.mark.parametrize("policy", list(Missed))
def test_some_seconds_late_is_not_missed(session: Session, laptop: Device, otto: str, policy: Missed) -> None:
    add(session, missed=policy)

    sweep(session, SIX + MINUTE)

    assert [(run.outcome, run.reason) for run in ran(session)] == [("ordered", None)]


@pytest.mark.parametrize("policy", list(Missed))
def test_nothing_is_lost_between_sweeps_that_take_long(
    session: Session, laptop: Device, otto: str, policy: Missed
) -> None:
    add(session, cron="* * * * *", missed=policy)
    start = SIX - DAY + 6 * HOUR  # noon

    for second in (60, 120, 180):  # each a whole minute late, and some more sweeps to catch up
        sweep(session, start + timedelta(seconds=second))
    sweep(session, start + timedelta(seconds=240))

    assert [run.planned_at for run in ran(session)] == [start + MINUTE * each for each in (1, 2, 3, 4)]


def test_all_is_so_many_and_the_rest_is_told(session: Session, laptop: Device, otto: str) -> None:
    schedule = add(session, cron="0 * * * *", missed=Missed.ALL)

    now = SIX + 3 * DAY + HOUR / 2
    sweep(session, now)

    found = ran(session)
    assert len(found) == len(ordered(session)) == AT_MOST
    assert "left out" in (found[-1].reason or "")
    assert schedule.next_run_at == SIX + 3 * DAY + HOUR


@pytest.mark.parametrize(("policy", "count"), [(Missed.SKIP, 1), (Missed.ONCE, 1), (Missed.ALL, AT_MOST)])
def test_a_year_away_is_found_out_at_once(
    session: Session, laptop: Device, otto: str, policy: Missed, count: int
) -> None:
    """Not by going through half a million minutes."""
    add(session, cron="* * * * *", missed=policy)

    sweep(session, SIX + 365 * DAY)

    assert len(ordered(session)) == count
    assert ran(session)[-1].reason is not None
