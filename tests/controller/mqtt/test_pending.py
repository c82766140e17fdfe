"""When a command is published, asked about, called off and given up: minutes in simulated time."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.mqtt.pending import AGAIN_AT_MOST, EPOCH, Pending, Step
from tests.factories import NOON, later


def pending(**fields: Any) -> Pending:
    """A command that may leave at noon, within ten minutes, and may then run for one."""
    values: dict[str, Any] = {"expires_at": later(600), "over_at": later(665)} | fields
    return Pending("c", "laptop", **values)


def said(each: Pending, wanted: Step, *, until: float, ready: bool = True) -> list[float]:
    """The seconds past noon at which a step is taken, looking only when it says so."""
    moments: list[float] = []
    now = NOON
    while now <= later(until):
        step = each.step(now, ready=ready)
        if step is wanted:
            moments.append((now - NOON).total_seconds())
            each.unsent = False
            each.note_said(now)
        elif step is not Step.NOTHING:
            break
        now = each.look_at(now, ready=ready)
    return moments


def test_an_unanswered_command_is_published_with_doubling_waits_up_to_a_minute() -> None:
    moments = said(pending(), Step.PUBLISH, until=300)

    assert moments == [0, 5, 15, 35, 75, 135, 195, 255]


def test_it_is_published_no_more_once_it_has_expired() -> None:
    each = pending(expires_at=later(40))

    assert said(each, Step.PUBLISH, until=700) == [0, 5, 15, 35]
    assert each.look_at(later(41), ready=True) == later(665)
    assert each.step(later(665), ready=True) is Step.FORGET


def test_a_cancel_goes_out_with_growing_waits_too_and_as_long_as_an_answer_may_come() -> None:
    each = pending(expires_at=later(40), heard=True, unsent=False)
    each.call_off()

    moments = said(each, Step.CANCEL, until=700)

    assert moments[:6] == [0, 5, 15, 35, 75, 135]
    assert 600 < moments[-1] < 665


def test_called_off_before_it_left_it_is_settled_and_nothing_is_said() -> None:
    each = pending()
    each.call_off()

    assert each.step(NOON, ready=True) is Step.SETTLE


def test_what_never_left_is_settled_at_its_hour_whether_its_device_is_there_or_not() -> None:
    each = pending()

    assert each.look_at(NOON, ready=False) == later(600)
    assert each.step(later(599), ready=False) is Step.NOTHING
    for ready in (True, False):
        assert each.step(later(600), ready=ready) is Step.SETTLE


def test_accepted_it_is_asked_about_only_when_its_device_comes_back() -> None:
    each = pending(unsent=False, heard=True)
    assert each.step(later(60), ready=True) is Step.NOTHING

    each.note_arrival(later(61))

    assert each.step(later(61), ready=True) is Step.PUBLISH


def test_a_device_that_says_twice_that_it_is_there_is_told_once() -> None:
    each = pending()
    each.note_arrival(NOON)
    each.unsent = False
    each.note_said(NOON)

    each.note_arrival(later(0.1))
    assert each.step(later(0.1), ready=True) is Step.NOTHING

    each.note_arrival(later(2))
    assert each.step(later(2), ready=True) is Step.PUBLISH


def test_doubted_it_is_judged_before_anything_else_and_what_was_accepted_is_not_doubted() -> None:
    each = pending()
    each.doubt()
    assert each.step(NOON, ready=False) is Step.JUDGE
    accepted = pending(unsent=False, heard=True)
    accepted.doubt()
    assert accepted.step(NOON, ready=True) is Step.NOTHING


@given(
    unsent=st.booleans(),
    heard=st.booleans(),
    cancel_wanted=st.booleans(),
    doubted=st.booleans(),
    ready=st.booleans(),
    tries=st.integers(0, 100),
    next_at=st.sampled_from([EPOCH, later(10), later(601), later(900)]),
    seconds=st.integers(0, 1000),
)
def test_what_needs_nothing_now_is_looked_at_later_and_not_at_once(
    unsent: bool,
    heard: bool,
    cancel_wanted: bool,
    doubted: bool,
    ready: bool,
    tries: int,
    next_at: datetime,
    seconds: int,
) -> None:
    each = pending(
        unsent=unsent,
        heard=heard,
        cancel_wanted=cancel_wanted,
        doubted=doubted,
        tries=tries,
        next_at=next_at,
    )
    now = later(seconds)

    if each.step(now, ready=ready) is Step.NOTHING:
        looked = each.look_at(now, ready=ready)
        assert looked > now
        assert (
            each.step(looked, ready=ready) is not Step.NOTHING or each.look_at(looked, ready=ready) > looked
        )
    else:
        each.note_said(now)
        assert timedelta() < each.next_at - now <= AGAIN_AT_MOST


@given(st.integers(1, 1000))
def test_nothing_is_missed_between_two_looks(seconds: int) -> None:
    """Between now and the next look nothing would have been due."""
    each = pending(unsent=False)
    each.note_said(NOON)
    looked = each.look_at(NOON, ready=True)

    if later(seconds) < looked:
        assert each.step(later(seconds), ready=True) is Step.NOTHING
