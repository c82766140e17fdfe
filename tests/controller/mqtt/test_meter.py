"""What a device may send for as long as it likes, what at once, and when it is far too much."""

from hypothesis import given
from hypothesis import strategies as st

from controller.mqtt.meter import BACKLOG, BACKLOG_BYTES, PATIENCE, Allowance, Amount, Meter, Standing

WITHIN, OVER, FAR_OVER = Standing.WITHIN, Standing.OVER, Standing.FAR_OVER
PER_S = 50.0


def a_meter(**more: int) -> Meter:
    return Meter(Allowance(PER_S, 1_000_000.0), **more)


def counted(
    meter: Meter, count: int, *, at: float = 0.0, size: int = 100, device_id: str = "loud"
) -> list[Standing]:
    """The standing after each of so many messages at one moment."""
    return [meter.count(device_id, size, at) for _ in range(count)]


def test_a_whole_spool_may_come_at_once() -> None:
    assert set(counted(a_meter(), BACKLOG)) == {WITHIN}


def test_beyond_that_it_is_over_and_then_far_over() -> None:
    meter = a_meter()
    counted(meter, BACKLOG)

    found = counted(meter, int(PATIENCE * PER_S) + 2)

    assert found == [OVER] * int(PATIENCE * PER_S) + [FAR_OVER] * 2


def test_a_few_very_large_messages_are_too_much_as_well() -> None:
    meter = a_meter()
    size = 250_000

    found = counted(meter, BACKLOG_BYTES // size + int(PATIENCE * 1_000_000 / size) + 2, size=size)

    assert (found[0], found[BACKLOG_BYTES // size], found[-1]) == (WITHIN, OVER, FAR_OVER)


@given(st.lists(st.floats(min_value=0.02, max_value=30.0), min_size=1, max_size=200), st.integers(0, 19_000))
def test_who_keeps_the_pace_is_within_for_ever(waits: list[float], size: int) -> None:
    meter, now = a_meter(at_once=1, at_once_bytes=19_000), 0.0
    for wait in waits:
        now += wait * 1.000_001  # what floats lose
        assert meter.count("steady", size, now) is WITHIN


@given(st.integers(min_value=51, max_value=5_000))
def test_who_sends_more_than_the_pace_is_far_over_some_day_and_never_before_its_backlog(pace: int) -> None:
    meter, sent, at_once = a_meter(at_once=500), 0, 500
    while meter.count("loud", 1, sent / pace) is not FAR_OVER:
        sent += 1
        assert sent <= 2 + (at_once + PATIENCE * PER_S) * pace / (pace - PER_S)
    assert sent >= at_once


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0.0, 20.0)), max_size=30))
def test_time_only_ever_helps(bursts: list[tuple[int, float]]) -> None:
    """What is far over with pauses is far over without them."""
    paused, at_once, now = a_meter(at_once=400), a_meter(at_once=400), 0.0
    for count, pause in bursts:
        now += pause
        for _ in range(count):
            assert paused.count("d", 1, now) <= at_once.count("d", 1, 0.0)


def test_a_device_does_not_answer_for_another() -> None:
    meter = a_meter()
    counted(meter, 20_000)

    assert meter.count("calm", 100, 0.0) is WITHIN


def test_what_was_sent_is_told_since_the_bucket_was_last_empty() -> None:
    meter = a_meter()
    counted(meter, 50, at=0.0)
    counted(meter, 7, at=10.0, size=3)

    assert meter.sent("loud", 12.0) == Amount(7, 21, 2.0)
    assert meter.sent("nobody", 12.0) == Amount(0, 0, 0.0)


def test_of_ever_more_devices_some_are_forgotten_and_never_the_one_that_floods() -> None:
    meter = a_meter(most_remembered=100)
    counted(meter, BACKLOG)

    for number in range(1_000):
        meter.count(f"d{number}", 1, 0.0)
        assert len(meter) <= 100

    assert meter.count("loud", 100, 0.0) is OVER
