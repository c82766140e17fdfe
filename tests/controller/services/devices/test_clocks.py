"""A device's clock: measured from live heartbeats, told of once an episode."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from controller.services import devices, events
from controller.store.tables import Device, EventRow
from schemas.events import Severity
from tests.factories import a_heartbeat, a_presence, a_profile, an_event, later


class Clock:
    """A device that beats every 30 s with a clock of its own."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.seq = 0

    def beats(self, skew: float, times: int = 3, *, delay: float = 0.0, boot_id: str = "boot-1") -> None:
        for _ in range(times):
            self.seq += 1
            at = self.seq * 30.0
            beat = a_heartbeat(self.seq, boot_id=boot_id, at=later(at + skew))
            devices.store_heartbeat(self.session, "laptop", beat, now=later(at + delay))

    def told(self) -> list[EventRow]:
        """Oldest first."""
        return events.recent(self.session, event_type="clock_skew")[::-1]


@pytest.fixture
def clock(session: Session, laptop: Device) -> Clock:
    return Clock(session)


@pytest.mark.parametrize("skew", [40.0, -40.0, 86_400 * 365.0, -86_400 * 365.0])
def test_a_wrong_clock_is_told_once(clock: Clock, laptop: Device, skew: float) -> None:
    clock.beats(skew, 20)

    (event,) = clock.told()
    assert (event.severity, event.data, event.resolved) == (Severity.WARNING, {"skew_s": skew}, False)
    assert laptop.clock_skew_s == skew


def test_a_right_clock_is_measured_and_not_told(clock: Clock, laptop: Device) -> None:
    clock.beats(0.4, 5)

    assert clock.told() == []
    assert laptop.clock_skew_s == 0.4


def test_a_clock_that_was_set_right_resolves_what_was_told(clock: Clock, laptop: Device) -> None:
    clock.beats(-100)
    clock.beats(20)  # not yet right enough
    assert [event.resolved for event in clock.told()] == [False]

    clock.beats(2)

    wrong, over = clock.told()
    assert (wrong.resolved, over.severity, over.data) == (True, Severity.INFO, {"skew_s": 2.0})
    assert events.recent(clock.session, unresolved=True) == []


def test_each_episode_is_told(clock: Clock) -> None:
    for skew in (100, 0, 100, 0, 100):
        clock.beats(skew, 4)

    assert [event.severity for event in clock.told()] == ["warning", "info", "warning", "info", "warning"]
    assert [event.resolved for event in clock.told()] == [True, True, True, True, False]


def test_one_heartbeat_that_was_held_up_is_no_wrong_clock(clock: Clock, laptop: Device) -> None:
    clock.beats(0)
    clock.beats(0, 1, delay=300)
    clock.beats(0, 2)
    clock.beats(0, 1, delay=300)

    assert clock.told() == []
    assert laptop.clock_skew_s == 0


def test_a_single_heartbeat_tells_nothing_yet(clock: Clock, laptop: Device) -> None:
    clock.beats(-500, 2)
    assert clock.told() == []
    assert laptop.clock_skew_s == -500


def test_a_new_life_is_measured_anew_and_the_episode_goes_on(
    clock: Clock, session: Session, laptop: Device
) -> None:
    clock.beats(100)
    devices.store_profile(session, "laptop", a_profile(boot_id="boot-2"), now=later(100))
    devices.store_presence(session, "laptop", a_presence(boot_id="boot-2", at=later(200)), now=later(100))

    clock.beats(100, boot_id="boot-2")

    assert len(clock.told()) == 1
    clock.beats(0, boot_id="boot-2")
    assert [event.resolved for event in clock.told()] == [True, True]


def test_a_devices_own_event_of_that_type_is_its_own(clock: Clock, session: Session) -> None:
    own = an_event("mine", type="clock_skew")
    events.store(session, "laptop", own, now=later(0))

    clock.beats(100)
    clock.beats(0)

    assert [event.resolved for event in clock.told() if event.id == "mine"] == [False]
    assert len(clock.told()) == 3


def test_the_limit_can_be_set(clock: Clock, session: Session, laptop: Device) -> None:
    for seq in range(1, 4):
        beat = a_heartbeat(seq, at=later(seq + 3))
        devices.store_heartbeat(session, "laptop", beat, now=later(seq), max_skew_s=2.0)

    assert [event.data for event in clock.told()] == [{"skew_s": 3.0}]


def test_a_heartbeat_of_another_life_measures_nothing(clock: Clock, laptop: Device) -> None:
    clock.beats(1_000, boot_id="boot-0")

    assert laptop.clock_skew_s is None


@given(
    skew=st.floats(-1e6, 1e6),
    delays=st.lists(st.sampled_from([0.0, 0.0, 0.05, 600.0]), min_size=3, max_size=30),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_while_no_two_of_three_are_held_up_the_clock_is_known(
    session: Session, laptop: Device, skew: float, delays: list[float]
) -> None:
    for number, delay in enumerate(delays):
        if delay > 1 and 600.0 in delays[max(0, number - 2) : number]:
            delays[number] = 0.0
    with session.begin_nested() as point:
        for number, delay in enumerate(delays, 1):
            sent = later(number * 30)
            beat = a_heartbeat(number, at=sent + timedelta(seconds=skew))
            devices.store_heartbeat(session, "laptop", beat, now=sent + timedelta(seconds=delay))
        measured = laptop.clock_skew_s
        point.rollback()

    assert measured is not None
    assert abs(measured - skew) < 0.1


@pytest.mark.parametrize("then", [-432_000.0, 100.0, 1_000_000.0])
def test_a_clock_that_is_wrong_in_another_way_is_told_anew(clock: Clock, then: float) -> None:
    clock.beats(431_999.998)

    clock.beats(then)

    [over] = [event for event in clock.told() if event.severity == Severity.INFO]
    first, second = (event for event in clock.told() if event.severity == Severity.WARNING)
    assert (first.data, first.resolved, over.resolves) == ({"skew_s": 432_000}, True, first.id)
    assert (second.data, second.resolved) == ({"skew_s": int(then)}, False)
    assert events.recent(clock.session, unresolved=True) == [second]


@pytest.mark.parametrize("then", [60.0, 190.0])
def test_a_wrong_clock_that_drifts_a_little_is_not_told_anew(clock: Clock, then: float) -> None:
    clock.beats(100)

    clock.beats(then)

    assert len(clock.told()) == 1
