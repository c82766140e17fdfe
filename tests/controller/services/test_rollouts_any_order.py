"""However answers, cancels, cards, absences, sweeps and kills fall together, an order to a group keeps its limits and ends once."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlmodel import Session, col, select

from controller.errors import AlreadyDecided, Conflict
from controller.services import approvals, cards, commands, devices, rollouts, settling
from controller.services.conditions import Condition
from controller.services.orders import Status
from controller.services.rollouts import Pace, children, progress
from controller.store import engine, notices
from controller.store.tables import AuditEntry, ToolExecution
from schemas.commands import ReplyStatus
from tests.controller import any_order
from tests.controller.services.fleet import a_lab, an_order
from tests.databases import Databases
from tests.factories import ADMIN, NOON, a_presence, a_reply, an_error

DEVICES = 4
PACES = [
    Pace(max_in_flight=None),
    Pace(max_in_flight=1),
    Pace(max_in_flight=2, stop_after=1),
    Pace(max_in_flight=None, rate_per_s=2),
    Pace(max_in_flight=3, rate_per_s=0.5, stop_after=2),
]
ORDERS = [
    {"tool": "create_directory"},
    {"tool": "create_directory", "when_online": True, "valid_s": 300},
    {"tool": "create_directory", "condition": Condition("path_info", {"path": "Test"}, "exists")},
    {"tool": "delete_path"},
    {"tool": "delete_path", "when_online": True, "valid_s": 300},
]
KILLED = st.integers(0, 4).map(lambda number: number == 4)


class Rollouts(RuleBasedStateMachine):
    """Orders to one group under everything that can happen to them; any step can be lost to a kill."""

    databases: ClassVar[Databases]

    def __init__(self) -> None:
        super().__init__()
        self.own = ExitStack()
        self.writer = engine.writer(self.own.enter_context(self.databases.migrated()))
        self.now = NOON
        self.parents: list[str] = []
        self.queued: Counter[str] = Counter()  # how often a command was handed to the outbox
        self.ended: dict[str, tuple[Any, ...]] = {}
        self.left_at_stop: dict[str, set[str]] = {}

    def teardown(self) -> None:
        try:
            self.drain()
        finally:
            self.writer.dispose()
            self.own.close()

    def step(self, work: Callable[[Session], object], *, killed: bool = False) -> None:
        """One transaction; nothing but what it commits outlives it, and of a killed one nothing does."""
        with Session(self.writer, expire_on_commit=False) as session:
            work(session)
            session.flush()
            if killed:
                session.rollback()
                return
            session.commit()
            for notice in notices.taken(session):
                if isinstance(notice, notices.CommandQueued):
                    self.queued[notice.command.id] += 1

    def every(self, session: Session) -> list[ToolExecution]:
        return list(session.exec(select(ToolExecution).order_by(col(ToolExecution.id))))

    def pick(self, session: Session, number: int) -> ToolExecution | None:
        rows = [row for row in self.every(session) if row.group_name is None]
        return rows[number % len(rows)] if rows else None

    @initialize()
    def begin(self) -> None:
        self.step(lambda session: a_lab(session, DEVICES))

    @rule(pace=st.sampled_from(PACES), order=st.sampled_from(ORDERS), killed=KILLED)
    def submit(self, pace: Pace, order: dict[str, Any], killed: bool) -> None:
        if len(self.parents) == 3:
            return

        def work(session: Session) -> None:
            found = rollouts.submit(session, an_order(pace=pace, **order), actor=ADMIN, now=self.now)
            if not killed:
                self.parents.append(found.id)

        self.step(work, killed=killed)

    @rule(
        number=st.integers(0, 50),
        status=st.sampled_from(ReplyStatus),
        yes=st.booleans(),
        killed=KILLED,
    )
    def reply(self, number: int, status: ReplyStatus, yes: bool, killed: bool) -> None:
        def work(session: Session) -> None:
            row = self.pick(session, number)
            if row is not None:
                error = None if status is ReplyStatus.SUCCEEDED or not status.is_final else an_error()
                said = a_reply(row.id, status, error=error, result={"exists": yes})
                settling.settle(session, row.device_id, said, now=self.now)

        self.step(work, killed=killed)

    @rule(number=st.integers(0, 5), killed=KILLED)
    def look(self, number: int, killed: bool) -> None:
        if self.parents:
            self.advance(self.parents[number % len(self.parents)], killed=killed)

    def advance(self, parent_id: str, *, killed: bool = False) -> None:
        def work(session: Session) -> None:
            rollouts.advance(session, parent_id, now=self.now)
            parent = commands.get(session, parent_id)
            session.flush()
            still = children.tally(session, parent_id).open
            assert Status(parent.status).is_final == (still == 0)

        self.step(work, killed=killed)

    @rule(number=st.integers(0, 50), whole=st.booleans(), killed=KILLED)
    def cancel(self, number: int, whole: bool, killed: bool) -> None:
        def work(session: Session) -> None:
            row = self.pick(session, number)
            command_id = row and ((whole and row.parent_id) or row.id)
            if command_id:
                try:
                    rollouts.cancel(session, command_id, actor=ADMIN, now=self.now)
                except Conflict:
                    assert Status(commands.get(session, command_id).status).is_final

        self.step(work, killed=killed)

    @rule(approve=st.booleans(), killed=KILLED)
    def decide(self, approve: bool, killed: bool) -> None:
        def work(session: Session) -> None:
            for card in approvals.pending(session)[:1]:
                try:
                    approvals.decide(session, card.id, approve=approve, actor=ADMIN, now=self.now)
                except AlreadyDecided:
                    assert self.now >= card.expires_at

        self.step(work, killed=killed)

    @rule(number=st.integers(0, DEVICES - 1), state=st.sampled_from(["online", "offline"]))
    def presence(self, number: int, state: str) -> None:
        device_id = f"lab-{number:03}"

        def work(session: Session) -> None:
            devices.store_presence(session, device_id, a_presence(state), now=self.now)
            if state == "online":
                settling.device_came(session, device_id, now=self.now)

        self.step(work)

    @rule()
    def the_controller_starts_anew(self) -> None:
        self.step(devices.nobody_is_known_online)

    @rule(seconds=st.sampled_from([0.1, 0.3, 1, 5, 100, 1_000]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

        def sweep(session: Session) -> None:
            settling.expire(session, now=self.now)
            approvals.expire(session, now=self.now)

        self.step(sweep)

    @rule(ticks=st.integers(1, 15))
    def the_pacer_runs(self, ticks: int) -> None:
        for _ in range(ticks):
            self.now += timedelta(seconds=0.1)
            for parent_id in self.parents:
                self.advance(parent_id)

    def drain(self) -> None:
        """Devices that never answer, and a clock that goes on: every order ends all the same."""
        for _ in range(5):
            self.time_passes(timedelta(days=3).total_seconds())
            for parent_id in self.parents:
                self.advance(parent_id)
        with Session(self.writer) as session:
            assert [row for row in self.every(session) if not Status(row.status).is_final] == []

    @invariant()
    def the_limits_hold(self) -> None:
        with Session(self.writer) as session:
            for parent_id in self.parents:
                parent = commands.get(session, parent_id)
                pace = progress.pace_of(parent)
                on_the_way = [
                    row
                    for row in self.every(session)
                    if row.parent_id == parent_id
                    and row.status in (Status.QUEUED, Status.SENT, Status.ACCEPTED)
                    and (row.released_at or row.follows)
                ]
                assert pace.max_in_flight is None or len(on_the_way) <= pace.max_in_flight
                if pace.rate_per_s is not None and parent.condition is None:  # there the question is paced
                    left = self.released(session, parent_id)
                    for first in left.values():
                        second = [at for at in left.values() if first <= at <= first + timedelta(seconds=1)]
                        assert len(second) <= pace.rate_per_s + 1

    @invariant()
    def nothing_leaves_after_a_stop(self) -> None:
        with Session(self.writer) as session:
            for parent_id in self.parents:
                if (commands.get(session, parent_id).rollout or {})["stopped"]:
                    left = set(self.released(session, parent_id))
                    assert self.left_at_stop.setdefault(parent_id, left) == left

    @invariant()
    def nothing_is_handed_over_twice(self) -> None:
        assert all(number == 1 for number in self.queued.values())
        with Session(self.writer) as session:
            left = {row.id for row in self.every(session) if row.released_at is not None}
        assert left == set(self.queued)

    @invariant()
    def what_has_ended_stays_as_it_ended(self) -> None:
        with Session(self.writer) as session:
            for row in self.every(session):
                end = (row.status, row.finished_at, row.error, row.result)
                if Status(row.status).is_final:
                    assert self.ended.setdefault(row.id, end) == end
                    audited = select(AuditEntry).where(
                        AuditEntry.command_id == row.id, AuditEntry.action == f"command.{row.status}"
                    )
                    assert len(session.exec(audited).all()) == 1
                else:
                    assert row.id not in self.ended

    @invariant()
    def an_order_ends_after_the_last_of_its_commands(self) -> None:
        with Session(self.writer) as session:
            for parent_id in self.parents:
                parent = commands.get(session, parent_id)
                if Status(parent.status).is_final:
                    tally = children.tally(session, parent_id)
                    assert tally.open == 0
                    assert (parent.status == Status.SUCCEEDED) == (tally.of(Status.SUCCEEDED) == DEVICES)

    @invariant()
    def no_card_is_left_without_a_command(self) -> None:
        with Session(self.writer) as session:
            for card in approvals.pending(session):
                assert cards.waiting(session, card)

    def released(self, session: Session, parent_id: str) -> dict[str, datetime]:
        return {
            row.id: row.released_at
            for row in self.every(session)
            if row.parent_id == parent_id and row.released_at is not None
        }


def test_in_any_order(databases: Databases) -> None:
    """Each example has a database of its own."""
    Rollouts.databases = databases
    any_order.run(Rollouts, databases, examples=24, steps=25)
