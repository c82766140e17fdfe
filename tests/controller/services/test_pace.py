"""The limits of one order to a group, by numbers alone."""

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.services.rollouts import FASTEST, SLOWEST, Pace
from tests.factories import NOON, later

A_SECOND = timedelta(seconds=1)
RATES = st.floats(SLOWEST, FASTEST) | st.sampled_from([0.5, 1.0, 2.0, 5.0, 60.0])
GAPS = st.lists(st.floats(0, 0.5) | st.sampled_from([0.001, 0.01, 0.2, 3.0, 60.0]), max_size=60)


def starts(pace: Pace, looks: list[datetime], *, waiting: int = 400) -> list[datetime]:
    """When each of those that wait leaves, if somebody looks at these moments."""
    left: list[datetime] = []
    next_at: datetime | None = None
    for now in looks:
        while len(left) < waiting and now >= pace.due_at(next_at, now):
            left.append(now)
            next_at = pace.after(next_at, now)
    return left


@given(rate=RATES, gaps=GAPS)
@example(rate=5.0, gaps=[0.01] * 60)
@example(rate=100.0, gaps=[0.06] + [0.01] * 100)
def test_no_second_holds_more_than_the_rate_and_one(rate: float, gaps: list[float]) -> None:
    looks = [NOON]
    for gap in gaps:
        looks.append(looks[-1] + timedelta(seconds=gap))

    left = starts(Pace(rate_per_s=rate), looks)

    for first in left:
        assert sum(first <= each <= first + A_SECOND for each in left) <= rate + 1


@pytest.mark.parametrize("rate", [0.5, 1.0, 5.0, 30.0, 200.0])
def test_who_looks_often_gets_nearly_the_whole_rate(rate: float) -> None:
    looks = [later(tick * 0.02) for tick in range(500)]  # ten seconds

    left = starts(Pace(rate_per_s=rate), looks, waiting=10_000)

    assert 0.9 * rate * 10 <= len(left) <= rate * 10 + 1


def test_without_a_rate_all_may_leave_at_once() -> None:
    assert starts(Pace(), [NOON], waiting=7) == [NOON] * 7


def test_a_clock_that_was_set_back_holds_nobody_up_for_longer_than_a_period() -> None:
    pace = Pace(rate_per_s=2)
    next_at = pace.after(None, later(86_400))

    assert pace.due_at(next_at, NOON) - NOON < A_SECOND


def test_room_is_what_is_not_on_the_way() -> None:
    pace = Pace(max_in_flight=3)

    assert [pace.room(number) for number in (0, 2, 3, 4)] == [3, 1, 0, 0]
    assert Pace(max_in_flight=None).room(10_000) is None
