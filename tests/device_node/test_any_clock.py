"""Any clock, any delay, any sleep, any restart: no order starts late, none is lost before its time."""

import math
from collections.abc import Coroutine
from datetime import UTC, datetime

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
