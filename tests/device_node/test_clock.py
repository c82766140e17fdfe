"""A wrong clock neither loses nor replays an order."""

from datetime import UTC, datetime, timedelta

import pytest

from device_node.clock import Clock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
YEARS = 5 * 365 * 86_400.0


class Notes:
    """What outlives the program, as the journal keeps it."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.writes = 0

    async def mark(self, key: str) -> float | None:
        return self.values.get(key)

    async def set_marks(self, marks: dict[str, float]) -> None:
        self.values |= marks
        self.writes += 1


class Desk:
    """A device whose clock is `wrong_by` seconds ahead of the truth."""

    def __init__(self, wrong_by: float = 0.0) -> None:
        self.passed = 0.0
        self.wrong_by = wrong_by
        self.set_back = 0.0  # of the controller's clock, which is the truth
        self.lain = 0.0  # how long a message may have lain unread
        self.clock = self.a_clock()

    def a_clock(self) -> Clock:
        return Clock(own=self.own, steady=lambda: self.passed + 7_000, waited=lambda _arrived_at: self.lain)

    @property
    def truth(self) -> datetime:
        return NOON + timedelta(seconds=self.passed - self.set_back)

    def own(self) -> datetime:
        return self.truth + timedelta(seconds=self.wrong_by)

    def life(
        self, lasts: float, *, expiry_s: int | None = None, age: float = 0.0, clock: Clock | None = None
    ) -> float:
        """How long an order may still wait for its start, that was issued `age` ago and lasts so long from now."""
        clock = clock or self.clock
        arrived_at = clock.steady()
        until = clock.deadline(
            self.truth + timedelta(seconds=lasts),
            issued_at=self.truth - timedelta(seconds=age),
            expiry_s=expiry_s,
            arrived_at=arrived_at,
        )
        return until - arrived_at

    def learn(self) -> None:
        """A reply is made, stored, and acknowledged within a fifth of a second."""
        self.clock.made("reply")
        self.passed += 0.1
        written = self.truth
        self.passed += 0.1
        self.clock.acknowledged(written, ["reply"], arrived_at=self.clock.steady())


@pytest.mark.parametrize("wrong_by", [-YEARS, -3 * 86_400, 0, 3 * 86_400, YEARS])
def test_first_order_with_an_expiry_runs_whatever_the_device_believes(wrong_by: float) -> None:
    assert Desk(wrong_by).life(60, expiry_s=60) == pytest.approx(60)


@pytest.mark.parametrize("wrong_by", [-YEARS, -3 * 86_400, 0, 3 * 86_400, YEARS])
def test_once_an_ack_was_seen_the_own_clock_no_longer_counts(wrong_by: float) -> None:
    desk = Desk(wrong_by)
    desk.learn()

    assert desk.clock.learned
    assert abs(desk.clock.now() - desk.truth) < timedelta(milliseconds=1)
    assert desk.life(20) == pytest.approx(20, abs=0.2)
    assert desk.life(-5, age=60) <= 0
    desk.wrong_by = 1e8  # somebody sets it
    assert desk.life(20) == pytest.approx(20, abs=0.2)


def test_order_without_an_expiry_is_judged_by_the_own_clock_while_nothing_else_is_known() -> None:
    assert Desk(wrong_by=10).life(60, age=1_000) == pytest.approx(50)
    assert Desk(wrong_by=90).life(60) < 0


def test_what_a_message_says_has_passed_has_passed() -> None:
    desk = Desk(wrong_by=-3 * 86_400)

    assert desk.life(60) == pytest.approx(60)  # issued at noon, so it is noon, whatever the clock says
    desk.passed += 61
    assert desk.life(-1, age=61) < 0


async def test_order_that_had_expired_by_the_mark_is_expired_in_every_later_life() -> None:
    desk, notes = Desk(wrong_by=-YEARS), Notes()
    desk.life(60, expiry_s=60)
    await desk.clock.save(notes)
    later = desk.a_clock()
    await later.load(notes)

    old = desk.truth - timedelta(seconds=1)
    now = later.steady()
    assert later.deadline(old, issued_at=old, expiry_s=600, arrived_at=now) <= now
    assert later.mark == desk.truth.timestamp()


async def test_offset_outlives_the_program() -> None:
    desk, notes = Desk(wrong_by=3 * 86_400), Notes()
    desk.learn()
    await desk.clock.save(notes)
    desk.passed += 1_000
    later = desk.a_clock()
    await later.load(notes)

    assert later.now() == desk.truth
    assert desk.life(60, clock=later) == pytest.approx(60, abs=0.2)
    assert not later.learned


async def test_kept_offset_holds_though_the_mark_is_a_little_ahead_of_it() -> None:
    desk, notes = Desk(wrong_by=3 * 86_400), Notes()
    desk.learn()
    await desk.clock.save(notes)
    notes.values["clock_mark"] += 0.9  # a message came since, and the offset was not worth writing again
    later = desk.a_clock()
    await later.load(notes)

    assert abs(later.now() - desk.truth) < timedelta(seconds=1)


async def test_kept_offset_is_dropped_when_the_clock_was_set_right_meanwhile() -> None:
    desk, notes = Desk(wrong_by=3 * 86_400), Notes()
    desk.learn()
    await desk.clock.save(notes)
    desk.wrong_by = 0.0
    later = desk.a_clock()
    await later.load(notes)

    assert later.now() == desk.truth


async def test_only_what_changed_is_written() -> None:
    desk, notes = Desk(), Notes()
    await desk.clock.save(notes)
    assert notes.writes == 0
    desk.learn()
    assert not desk.clock.jumped()  # the own clock was right
    await desk.clock.save(notes)
    await desk.clock.save(notes)
    assert notes.writes == 1
    desk.wrong_by = 3_600.0
    assert desk.clock.jumped()


def test_older_message_changes_nothing() -> None:
    desk = Desk(wrong_by=500)
    desk.learn()
    before = desk.clock.now()
    desk.clock.made("second")

    desk.clock.acknowledged(NOON - timedelta(days=1), ["second"], arrived_at=desk.clock.steady())

    assert desk.clock.now() == before


def test_controllers_clock_that_was_set_back_is_followed_once_its_old_time_has_passed() -> None:
    desk = Desk()
    desk.learn()
    desk.set_back = 3_600.0
    desk.learn()
    assert desk.clock.now() > desk.truth  # its messages are older than those before

    desk.passed += 7_200
    desk.learn()

    assert abs(desk.clock.now() - desk.truth) < timedelta(milliseconds=1)


def test_late_ack_says_nothing_of_the_time() -> None:
    desk = Desk(wrong_by=500)
    desk.clock.made("reply")
    written = desk.truth
    desk.passed += 60

    desk.clock.acknowledged(written, ["reply"], arrived_at=desk.clock.steady())

    assert not desk.clock.learned


def test_ack_for_what_an_earlier_life_made_says_nothing_of_the_time() -> None:
    desk = Desk(wrong_by=500)

    desk.clock.acknowledged(desk.truth, ["who knows"], arrived_at=desk.clock.steady())

    assert not desk.clock.learned


def test_expiry_that_does_not_fit_the_rest_bounds_the_order_and_teaches_nothing() -> None:
    desk = Desk()

    assert desk.life(600, expiry_s=1) == 1  # its sender wanted it so
    assert desk.life(60, expiry_s=600) == 600
    assert not desk.clock.learned
    assert desk.life(60) == pytest.approx(60)


def test_order_that_lay_unread_while_the_machine_slept_loses_that_time() -> None:
    desk = Desk(wrong_by=-YEARS)
    desk.lain = 3_600.0

    assert desk.life(-3_540, expiry_s=60, age=3_600) < 0
    assert not desk.clock.learned
    assert desk.life(-3_000, expiry_s=4_000, age=3_600) == pytest.approx(400)


def test_clock_beyond_the_calendar_still_has_a_time() -> None:
    clock = Clock(own=lambda: datetime.max.replace(tzinfo=UTC), steady=lambda: 0.0)
    clock.made("reply")
    clock.acknowledged(datetime.max.replace(tzinfo=UTC), ["reply"], arrived_at=0.0)

    assert clock.now().year == 9999
