"""However replies, cancels, devices, rules and the clock fall together, a command ends once and stays ended.

Nor does it leave twice, wait for ever, or leave without the answer it depends on.
"""

from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from controller.errors import AlreadyDecided, Conflict
from controller.services import approvals, cards, commands, conditions, devices, orders, settling, undoing
from controller.services.cards import ApprovalStatus
from controller.services.conditions import ONLINE, Condition
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.store import notices
from controller.store.notices import CommandQueued
from controller.store.tables import AuditEntry, ToolExecution
from schemas.commands import ReplyStatus
from schemas.errors import ErrorBody
from tests.controller import any_order
from tests.databases import Databases
from tests.factories import (
    ADMIN,
    BOOT,
    NOON,
    a_place,
    a_presence,
    a_profile,
    a_reply,
    a_request,
    a_tool,
    an_error,
)

EXISTS = Condition("path_info", {"path": "D"}, "exists")
STEPS = [
    a_request(arguments={"path": "A"}),
    a_request("delete_path", arguments={"path": "B"}),
    a_request("path_info", arguments={"path": "C"}),
    a_request(arguments={"path": "A"}, when_online=True, valid_s=500.0),
    a_request("delete_path", arguments={"path": "B"}, when_online=True, valid_s=500.0),
    a_request(arguments={"path": "E"}, condition=EXISTS),
    a_request(arguments={"path": "G"}, condition=EXISTS, when_online=True, valid_s=500.0),
    a_request("delete_path", arguments={"path": "B"}, condition=EXISTS, when_online=True, valid_s=500.0),
    a_request(arguments={"path": "F"}, condition=ONLINE),
]


class Settling(RuleBasedStateMachine):
    """Plans of commands under everything that can happen to them, in any order."""

    writer: ClassVar[Engine]

    def __init__(self) -> None:
        super().__init__()
        self.session = Session(self.writer, expire_on_commit=False)
        self.ids: list[str] = []
        self.ended: dict[str, tuple[Any, ...]] = {}
        self.now = NOON

    def teardown(self) -> None:
        self.session.rollback()
        self.session.close()

    def pick(self, number: int) -> ToolExecution | None:
        if not self.ids:
            return None
        return self.session.get(ToolExecution, self.ids[number % len(self.ids)])

    @initialize()
    def begin(self) -> None:
        devices.add(self.session, a_place(), actor=ADMIN, now=NOON)
        devices.store_profile(self.session, "laptop", a_profile(), now=NOON)
        devices.store_presence(self.session, "laptop", a_presence(), now=NOON)

    @rule(plan=st.lists(st.sampled_from(STEPS), min_size=1, max_size=4))
    def submit(self, plan: list[commands.CommandRequest]) -> None:
        rows = commands.submit_plan(self.session, plan, actor=ADMIN, now=self.now)
        self.ids += [row.id for row in rows]
        self.note()

    def note(self) -> None:
        """Know every command there is: questions to the device are commands too."""
        self.session.flush()
        self.ids = list(self.session.exec(select(ToolExecution.id).order_by(col(ToolExecution.id))))

    @rule(
        number=st.integers(0, 50),
        status=st.sampled_from(ReplyStatus),
        code=st.sampled_from([None, "internal", "replayed"]),
        result=st.sampled_from([None, {"exists": True}, {"exists": False}, {"exists": True, "undo": True}]),
    )
    def reply(
        self, number: int, status: ReplyStatus, code: str | None, result: dict[str, Any] | None
    ) -> None:
        row = self.pick(number)
        if row is not None:
            error = ErrorBody(code=code, message="m") if code else None
            reply = a_reply(row.id, status, error=error, result=result)
            settling.settle(self.session, "laptop", reply, now=self.now)
            self.note()

    @rule(number=st.integers(0, 50))
    def reply_from_elsewhere(self, number: int) -> None:
        row = self.pick(number)
        if row is not None:
            before = row.status
            settling.settle(self.session, "printer", a_reply(row.id), now=self.now)
            assert row.status == before

    @rule(number=st.integers(0, 50), attempt=st.integers(1, 5))
    def publish(self, number: int, attempt: int) -> None:
        row = self.pick(number)
        if row is not None and row.released_at is not None:
            settling.published(self.session, row.id, attempt=attempt, now=self.now)

    @rule(numbers=st.lists(st.integers(0, 50), max_size=5), attempt=st.integers(1, 5), unsent=st.booleans())
    def ask_to_depart(self, numbers: list[int], attempt: int, unsent: bool) -> None:
        rows = [row for number in numbers if (row := self.pick(number)) is not None]
        before = {row.id: row.attempt for row in rows}
        wanted = [settling.Departure(row.id, attempt, unsent) for row in rows]
        for row in settling.depart(self.session, wanted, now=self.now):
            assert row.released_at is not None
            assert row.attempt >= max(before[row.id], attempt)

    @rule(number=st.integers(0, 50), dry_run=st.booleans())
    def undo(self, number: int, dry_run: bool) -> None:
        row = self.pick(number)
        if row is not None:
            known = undoing.leaves_something(row) and not undoing.taken_up(self.session, [row])
            try:
                undoing.submit(self.session, row.id, actor=ADMIN, now=self.now, dry_run=dry_run)
            except Conflict:
                assert not known
            else:
                assert known
            self.note()

    @rule(number=st.integers(0, 50))
    def outbox_gives_up(self, number: int) -> None:
        row = self.pick(number)
        if row is not None and row.released_at is not None:
            settling.never_sent(self.session, row.id, now=self.now)

    @rule(number=st.integers(0, 50))
    def broker_refuses(self, number: int) -> None:
        row = self.pick(number)
        if row is not None and row.released_at is not None:
            settling.not_taken(self.session, row.id, error=an_error(), now=self.now)

    @rule(number=st.integers(0, 50))
    def cancel(self, number: int) -> None:
        row = self.pick(number)
        if row is not None:
            try:
                commands.cancel(self.session, row.id, actor=ADMIN, now=self.now)
            except Conflict:
                assert Status(row.status).is_final

    @rule(number=st.integers(0, 50), approve=st.booleans())
    def decide(self, number: int, approve: bool) -> None:
        row = self.pick(number)
        if row is not None and row.approval_id is not None:
            try:
                approvals.decide(self.session, row.approval_id, approve=approve, actor=ADMIN, now=self.now)
            except AlreadyDecided:
                assert row.status != Status.AWAITING_APPROVAL or self.now >= row.expires_at
            self.note()

    @rule(seconds=st.sampled_from([1, 30, 70, 200, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        settling.expire(self.session, now=self.now)
        approvals.expire(self.session, now=self.now)
        self.note()
        for row in self.session.exec(select(ToolExecution).where(ToolExecution.status == "waiting")):
            assert row.expires_at > self.now

    @rule(state=st.sampled_from(["online", "offline"]))
    def presence(self, state: str) -> None:
        said = a_presence(state, BOOT, at=self.now)
        row = devices.store_presence(self.session, "laptop", said, now=self.now)
        if row is not None and row.status == devices.DeviceStatus.ONLINE:
            settling.device_came(self.session, "laptop", now=self.now)
        self.note()

    @rule(tools=st.booleans(), policy=st.sampled_from(PolicyProfile))
    def rules_change(self, tools: bool, policy: PolicyProfile) -> None:
        profile = a_profile() if tools else a_profile(tools=[a_tool()])
        devices.store_profile(self.session, "laptop", profile, now=self.now)
        devices.change(self.session, "laptop", devices.PolicyChange(policy=policy), actor=ADMIN, now=self.now)
        commands.withdraw(self.session, "laptop", now=self.now)

    @invariant()
    def what_has_ended_stays_as_it_ended(self) -> None:
        for command_id in self.ids:
            row = self.session.get(ToolExecution, command_id)
            assert row is not None
            if not Status(row.status).is_final:
                assert command_id not in self.ended, "it came back to life"
                continue
            end = (row.status, row.success, row.finished_at, row.error, row.result)
            assert self.ended.setdefault(command_id, end) == end
            assert row.secret_parameters is None

    @invariant()
    def every_end_is_audited_once(self) -> None:
        query = select(AuditEntry.command_id, AuditEntry.action).where(
            col(AuditEntry.action).in_([f"command.{status}" for status in Status if status.is_final])
        )
        audited = sorted(str(command_id) for command_id, _ in self.session.exec(query))
        ended = select(ToolExecution.id).where(col(ToolExecution.status).not_in(list(orders.OPEN)))
        assert audited == sorted(self.session.exec(ended))

    @invariant()
    def nothing_waits_for_ever(self) -> None:
        """An open command is released, behind a pending card or an open step, or waits for its device."""
        rows = {row.id: row for row in self.session.exec(select(ToolExecution))}
        pending = {card.id for card in approvals.listed(self.session, status=ApprovalStatus.PENDING)}
        for row in rows.values():
            if Status(row.status).is_final:
                continue
            behind = row.follows is not None and not Status(rows[row.follows].status).is_final
            asks = row.status == Status.AWAITING_APPROVAL and row.approval_id in pending
            waits = row.status == Status.WAITING and row.when_online
            assert row.released_at is not None or behind or asks or waits, row
            if waits:
                assert row.expires_at <= row.issued_at + timedelta(seconds=row.valid_s)

    @invariant()
    def nobody_waits_for_a_device_that_is_there(self) -> None:
        laptop = devices.find(self.session, "laptop")
        if laptop is not None and laptop.status == devices.DeviceStatus.ONLINE:
            waiting = select(ToolExecution).where(ToolExecution.status == Status.WAITING.value)
            assert not self.session.exec(waiting).all()

    @invariant()
    def nothing_leaves_twice(self) -> None:
        left = [each.command.id for each in notices.of(self.session) if isinstance(each, CommandQueued)]
        assert len(left) == len(set(left))

    @invariant()
    def nothing_leaves_before_what_it_follows_has_succeeded(self) -> None:
        for row in self.session.exec(select(ToolExecution).where(col(ToolExecution.follows).is_not(None))):
            before = self.session.get(ToolExecution, row.follows)
            assert row.released_at is None or (before is not None and before.status == Status.SUCCEEDED)

    @invariant()
    def nothing_leaves_without_the_answer_it_depends_on(self) -> None:
        for row in self.session.exec(select(ToolExecution)):
            condition = conditions.of(row)
            if condition is None or condition.tool is None or row.released_at is None:
                continue
            asked = self.session.get(ToolExecution, conditions.checked_by(row))
            assert asked is not None
            assert asked.status == Status.SUCCEEDED
            assert (asked.result or {})["exists"] is True
            assert asked.finished_at == row.released_at

    @invariant()
    def no_card_is_left_without_a_command(self) -> None:
        for card in approvals.listed(self.session, status=ApprovalStatus.PENDING):
            assert cards.waiting(self.session, card)


def test_in_any_order(databases: Databases) -> None:
    """Each example is rolled back."""
    Settling.writer = databases.writer
    any_order.run(Settling, databases, examples=40, steps=30)
