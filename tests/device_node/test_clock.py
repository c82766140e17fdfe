"""A wrong clock neither loses nor replays an order."""

import math
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

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


class Order:
    """An order as the controller sent it."""

    def __init__(self, issued: float, expires: float, *, floors: bool) -> None:
        self.issued = issued
        self.expires = expires
        self.floors = floors


class AnyClock(RuleBasedStateMachine):
    """Truth, a clock that is set at will, delays, sleep and restarts, against what is promised."""

    orders: Bundle[Order] = Bundle("orders")
    acks: Bundle[tuple[float, str]] = Bundle("acks")

    @initialize(wrong_by=st.floats(-YEARS, YEARS), phase=st.floats(0, 1))
    def begin(self, wrong_by: float, phase: float) -> None:
        self.truth = NOON.timestamp() + phase  # where in its second the broker's clock is
        self.passed = 1_000.0
        self.own = self.truth + wrong_by
        self.lain_until = (0.0, 0.0)
        self.notes: dict[str, float] = {}
        self.count = 0
        self.clock = self.a_clock()

    def a_clock(self) -> Clock:
        return Clock(
            own=lambda: datetime.fromtimestamp(self.own, UTC),
            steady=lambda: self.passed,
            waited=lambda arrived_at: (
                arrived_at - self.lain_until[0] if arrived_at <= self.lain_until[1] else 0.0
            ),
        )

    @rule(seconds=st.floats(0, 400), drift=st.floats(-5e-5, 5e-5))
    def time_passes(self, seconds: float, drift: float) -> None:
        self.truth += seconds
        self.passed += seconds * (1 + drift)
        self.own += seconds

    @rule(to=st.floats(-YEARS, YEARS))
    def somebody_sets_the_clock(self, to: float) -> None:
        self.own = NOON.timestamp() + to

    @rule(seconds=st.floats(2, 100_000))
    def machine_sleeps(self, seconds: float) -> None:
        begun = self.passed
        self.time_passes(seconds, 0.0)
        self.lain_until = (begun, self.passed)

    @rule(rebooted=st.booleans(), saved=st.booleans())
    def program_starts_again(self, rebooted: bool, saved: bool) -> None:
        if saved:
            _done(self.clock.save(self))
        if rebooted:
            self.passed = 10.0
        self.lain_until = (0.0, 0.0)
        self.clock = self.a_clock()
        _done(self.clock.load(self))

    @rule(target=orders, lasts=st.integers(1, 600), floors=st.booleans())
    def controller_issues(self, lasts: int, floors: bool) -> Order:
        return Order(self.truth, self.truth + lasts, floors=floors)

    @rule(order=orders, lay=st.floats(0, 30), late=st.floats(0, 0.5))
    def order_arrives(self, order: Order, lay: float, late: float) -> None:
        """Published now (perhaps again), `lay` at the broker, `late` on the way."""
        left = order.expires - self.truth
        expiry = math.floor(left) if order.floors else math.ceil(left)
        published = math.floor(self.truth)
        self.time_passes(lay, 0.0)
        expiry -= math.floor(self.truth) - published
        if left <= 0 or expiry < 0:
            return  # the broker drops it
        self.time_passes(late, 0.0)
        self.judge(order, expiry, late)

    @rule(order=orders, lies=st.floats(2, 50_000))
    def order_lies_unread_while_the_machine_sleeps(self, order: Order, lies: float) -> None:
        left = order.expires - self.truth
        if left > 0:
            self.machine_sleeps(lies)
            self.judge(order, math.floor(left) if order.floors else math.ceil(left), 0.0)

    def judge(self, order: Order, expiry: int, late: float) -> None:
        woke_just_now = self.passed <= self.lain_until[1]  # nobody knows how long it lay here
        left = order.expires - self.truth
        life = self.life(order, expiry)
        assert life <= max(0.0, left) + 2 + late, "it would start long after its expiry"
        if not woke_just_now:
            assert left <= 3 or life > 0, "it expired long before its time"
            assert life >= min(left, expiry) - 3

    @precondition(lambda self: self.clock.learned)
    @rule(order=orders)
    def order_arrives_without_an_expiry(self, order: Order) -> None:
        left = order.expires - self.truth
        assert self.life(order, None) == pytest.approx(left, abs=2.6) or left <= 0

    def life(self, order: Order, expiry: int | None) -> float:
        until = self.clock.deadline(
            datetime.fromtimestamp(order.expires, UTC),
            issued_at=datetime.fromtimestamp(order.issued, UTC),
            expiry_s=expiry,
            arrived_at=self.passed,
        )
        return until - self.passed

    @rule(target=acks, there=st.floats(0, 20), back=st.floats(0, 20))
    def reply_is_acknowledged(self, there: float, back: float) -> tuple[float, str]:
        self.count += 1
        name = f"reply-{self.count}"
        self.clock.made(name)
        self.time_passes(there, 0.0)
        written = self.truth
        self.time_passes(back, 0.0)
        self.ack_comes((written, name))
        return written, name

    @rule(ack=acks)
    def ack_comes(self, ack: tuple[float, str]) -> None:
        written, name = ack
        self.clock.acknowledged(datetime.fromtimestamp(written, UTC), [name], arrived_at=self.passed)

    @invariant()
    def learned_time_is_right(self) -> None:
        if self.clock.learned:
            # the width of an estimate grows while nothing is heard
            unheard = (self.clock._high - self.clock._low) / 2
            assert abs(self.clock.now().timestamp() - self.truth) <= max(2.6, unheard + 0.6)

    @invariant()
    def mark_has_passed(self) -> None:
        assert self.clock.mark <= self.truth + 1e-3

    async def mark(self, key: str) -> float | None:
        return self.notes.get(key)

    async def set_marks(self, marks: dict[str, float]) -> None:
        self.notes |= marks


def _done(step: Coroutine[None, None, None]) -> None:
    """Run what never waits."""
    with pytest.raises(StopIteration):
        step.send(None)


TestAnyClock = AnyClock.TestCase
TestAnyClock.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
