"""However replies, cancels and the clock fall together, a command ends once and stays ended."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from controller.errors import AlreadyDecided, Conflict
from controller.services import approvals, audit, cards, commands, devices, orders, settling
from controller.services.cards import ApprovalStatus
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.services.settling import Settled
from controller.store import engine, migrate, notices
from controller.store.tables import AuditEntry, Device, ToolExecution
from schemas.commands import ReplyStatus
from schemas.errors import ErrorBody, ErrorCode
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
    later,
)

FINAL = [status for status in ReplyStatus if status.is_final]


def submit(session: Session, *requests: commands.CommandRequest) -> list[ToolExecution]:
    rows = commands.submit_plan(session, requests, actor=ADMIN, now=NOON)
    session.flush()
    return rows


@pytest.mark.parametrize("status", FINAL)
def test_a_final_reply_settles(session: Session, laptop: Device, status: ReplyStatus) -> None:
    (row,) = submit(session, a_request())

    settled = settling.settle(
        session, "laptop", a_reply(row.id, status, result={"a": 1}, duration_ms=3.0), now=later(1)
    )

    assert settled is Settled.MOVED
    assert row.status == status.value
    assert row.success is (status is ReplyStatus.SUCCEEDED)
    assert (row.result, row.duration_ms, row.finished_at) == ({"a": 1}, 3.0, later(1))
    assert notices.CommandChanged(row, final=True) in notices.of(session)


@pytest.mark.parametrize("first", FINAL)
@pytest.mark.parametrize("second", FINAL)
def test_the_first_final_word_stands_and_a_contradiction_is_noted(
    session: Session, laptop: Device, first: ReplyStatus, second: ReplyStatus
) -> None:
    (row,) = submit(session, a_request())
    settling.settle(session, "laptop", a_reply(row.id, first), now=later(1))

    settled = settling.settle(
        session, "laptop", a_reply(row.id, second, result={"late": True}, error=an_error()), now=later(2)
    )

    assert settled is Settled.NOTHING
    assert (row.status, row.finished_at, row.result, row.error) == (first.value, later(1), None, None)
    noted = audit.entries(session, action="reply.contradicts")
    assert len(noted) == (0 if first is second else 1)


def test_no_end_follows_an_end(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request())
    settling.finish(session, row, Status.EXPIRED, now=later(1))

    settling.finish(session, row, Status.FAILED, now=later(2), error=an_error())
    settling.release(session, row, now=later(3))

    assert (row.status, row.finished_at, row.error) == (Status.EXPIRED, later(1), None)
    assert len(audit.entries(session, action="command.")) == 1


def test_progress_after_the_end_changes_nothing(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request())
    settling.settle(session, "laptop", a_reply(row.id), now=later(1))

    settling.settle(session, "laptop", a_reply(row.id, ReplyStatus.PROGRESS, progress=0.5), now=later(2))

    assert (row.status, row.progress) == (Status.SUCCEEDED, None)


def test_progress_is_kept_and_accepted_does_not_take_it_back(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request())

    settling.settle(session, "laptop", a_reply(row.id, ReplyStatus.PROGRESS, progress=0.5), now=later(1))
    settling.settle(session, "laptop", a_reply(row.id, ReplyStatus.ACCEPTED), now=later(2))

    assert (row.status, row.progress, row.accepted_at) == (Status.ACCEPTED, 0.5, later(1))


def test_a_reply_of_another_device_is_refused_and_audited(session: Session, laptop: Device) -> None:
    devices.add(session, a_place("printer"), actor=ADMIN, now=NOON)
    (row,) = submit(session, a_request())

    settled = settling.settle(session, "printer", a_reply(row.id), now=later(1))

    assert settled is Settled.REFUSED
    assert row.status == Status.QUEUED
    (entry,) = audit.entries(session, action="reply.refused")
    assert entry.device_id == "printer"


def test_a_reply_to_a_command_that_never_was_is_refused(session: Session, laptop: Device) -> None:
    assert settling.settle(session, "laptop", a_reply("nothing"), now=NOON) is Settled.REFUSED


@pytest.mark.parametrize("code", sorted(settling.NEVER_SETTLED_BY))
def test_a_word_on_one_arrival_settles_nothing_but_is_told_in_the_end(
    session: Session, laptop: Device, code: str
) -> None:
    (row,) = submit(session, a_request())
    reply = a_reply(row.id, ReplyStatus.REJECTED, error=an_error(code))

    assert settling.settle(session, "laptop", reply, now=later(1)) is Settled.NOTHING
    assert row.status == Status.QUEUED

    settling.expire(session, now=row.expires_at + timedelta(seconds=row.timeout_s + settling.GRACE + 1))
    assert Status(row.status).is_final
    assert (row.error or {})["code"] == code


@pytest.mark.parametrize("code", sorted(settling.NEVER_SETTLED_BY))
def test_a_word_on_one_arrival_leaves_an_ended_command_alone(
    session: Session, laptop: Device, code: str
) -> None:
    (row,) = submit(session, a_request())
    settling.settle(session, "laptop", a_reply(row.id), now=later(1))

    settling.settle(
        session, "laptop", a_reply(row.id, ReplyStatus.REJECTED, error=an_error(code)), now=later(2)
    )

    assert (row.status, row.error) == (Status.SUCCEEDED, None)


def test_nobody_can_answer_what_has_not_left(session: Session, laptop: Device) -> None:
    _first, second = submit(session, a_request(), a_request(arguments={"path": "B"}))
    (asked,) = submit(session, a_request("delete_path", arguments={"path": "C"}))

    for row in (second, asked):
        settling.settle(session, "laptop", a_reply(row.id), now=later(1))

    assert second.status == Status.QUEUED
    assert asked.status == Status.AWAITING_APPROVAL
    assert len(audit.entries(session, action="reply.contradicts")) == 2


def test_what_may_have_left_and_is_never_answered_is_interrupted(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request(timeout_s=10.0, valid_s=20.0))
    settling.published(session, row.id, attempt=1, now=later(1))

    assert not settling.due(session, now=later(35))
    assert settling.due(session, now=later(35.1))
    settling.expire(session, now=later(35.1))

    assert row.status == Status.INTERRUPTED
    assert (row.error or {})["code"] == ErrorCode.INTERRUPTED
    assert not settling.due(session, now=later(1000))


def test_what_was_never_handed_over_expires(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request())

    settling.never_sent(session, row.id, now=later(61))

    assert row.status == Status.EXPIRED
    assert (row.error or {})["code"] == ErrorCode.EXPIRED


def test_what_was_handed_over_cannot_be_called_unsent_or_refused(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request())
    settling.published(session, row.id, attempt=3, now=later(1))

    settling.never_sent(session, row.id, now=later(2))
    settling.not_taken(session, row.id, error=an_error(), now=later(2))

    assert (row.status, row.attempt, row.published_at) == (Status.SENT, 3, later(1))


def test_what_the_broker_refuses_fails_with_its_reason(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request())

    settling.not_taken(session, row.id, error=an_error("payload_too_large", "too big"), now=later(1))

    assert (row.status, row.error_message) == (Status.FAILED, "too big")


def test_notes_about_unknown_commands_are_ignored(session: Session) -> None:
    settling.published(session, "x", attempt=1, now=NOON)
    settling.never_sent(session, "x", now=NOON)
    settling.not_taken(session, "x", error=an_error(), now=NOON)

    assert notices.of(session) == []


def test_a_step_that_policy_now_denies_is_not_released(session: Session, laptop: Device) -> None:
    first, second = submit(session, a_request(), a_request(arguments={"path": "B"}))
    change = devices.PolicyChange(policy=PolicyProfile.OBSERVE)
    devices.change(session, "laptop", change, actor=ADMIN, now=later(1))

    settling.settle(session, "laptop", a_reply(first.id), now=later(2))

    assert second.status == Status.DENIED
    assert (second.error or {})["code"] == "permission_denied"


def test_a_step_that_policy_now_asks_about_does_not_leave_without_a_person(session: Session) -> None:
    devices.add(session, a_place("pump", policy=PolicyProfile.MANAGE), actor=ADMIN, now=NOON)
    profile = a_profile("pump", tools=[a_tool("pump_start", risk="high")])
    devices.store_profile(session, "pump", profile, now=NOON)
    devices.store_presence(session, "pump", a_presence(), now=NOON)
    request = a_request("pump_start", device_id="pump")
    first, second = submit(session, request, request)
    change = devices.PolicyChange(policy=PolicyProfile.ASSIST)
    devices.change(session, "pump", change, actor=ADMIN, now=later(1))

    settling.settle(session, "pump", a_reply(first.id), now=later(2))

    assert second.status == Status.DENIED
    assert notices.CommandQueued(second) not in notices.of(session)


def test_a_step_whose_device_went_away_meanwhile_is_not_sent(session: Session, laptop: Device) -> None:
    first, second = submit(session, a_request(), a_request(arguments={"path": "B"}))
    devices.store_presence(session, "laptop", a_presence("offline"), now=later(1))

    settling.settle(session, "laptop", a_reply(first.id), now=later(2))

    assert second.status == Status.EXPIRED
    assert (second.error or {})["code"] == "device_offline"


def test_every_status_leads_only_where_it_can() -> None:
    for status in Status:
        for reply in ReplyStatus:
            then = orders.after(status, reply)
            if status.is_final or status is Status.AWAITING_APPROVAL:
                assert then is None
            elif reply.is_final:
                assert then == Status(reply.value)
            else:
                assert then is Status.ACCEPTED


STEPS = [
    a_request(arguments={"path": "A"}),
    a_request("delete_path", arguments={"path": "B"}),
    a_request("path_info", arguments={"path": "C"}),
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

    @rule(
        number=st.integers(0, 50),
        status=st.sampled_from(ReplyStatus),
        code=st.sampled_from([None, "internal", "replayed"]),
    )
    def reply(self, number: int, status: ReplyStatus, code: str | None) -> None:
        row = self.pick(number)
        if row is not None:
            error = ErrorBody(code=code, message="m") if code else None
            settling.settle(self.session, "laptop", a_reply(row.id, status, error=error), now=self.now)

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
    def decide(self, number: int, approve: bool) -> None:  # noqa: FBT001 - a strategy's value
        row = self.pick(number)
        if row is not None and row.approval_id is not None:
            try:
                approvals.decide(self.session, row.approval_id, approve=approve, actor=ADMIN, now=self.now)
            except AlreadyDecided:
                assert row.status != Status.AWAITING_APPROVAL or self.now >= row.expires_at

    @rule(seconds=st.sampled_from([1, 30, 70, 200, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        settling.expire(self.session, now=self.now)
        approvals.expire(self.session, now=self.now)

    @rule(state=st.sampled_from(["online", "offline"]))
    def presence(self, state: str) -> None:
        devices.store_presence(self.session, "laptop", a_presence(state, BOOT), now=self.now)

    @rule(tools=st.booleans(), policy=st.sampled_from(PolicyProfile))
    def rules_change(self, tools: bool, policy: PolicyProfile) -> None:  # noqa: FBT001 - a strategy's value
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
        """An open command is released, behind a pending card, or behind an open step."""
        rows = {row.id: row for row in self.session.exec(select(ToolExecution))}
        pending = {card.id for card in approvals.listed(self.session, status=ApprovalStatus.PENDING)}
        for row in rows.values():
            if Status(row.status).is_final:
                continue
            behind = row.follows is not None and not Status(rows[row.follows].status).is_final
            waits = row.status == Status.AWAITING_APPROVAL and row.approval_id in pending
            assert row.released_at is not None or behind or waits, row

    @invariant()
    def no_card_is_left_without_a_command(self) -> None:
        for card in approvals.listed(self.session, status=ApprovalStatus.PENDING):
            assert cards.waiting(self.session, card)


@pytest.fixture(autouse=True, scope="module")
def one_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Migrated once for all examples: each is rolled back."""
    Settling.writer = engine.writer(engine.sqlite_url(tmp_path_factory.mktemp("settling") / "orion.db"))
    migrate.upgrade(Settling.writer)
    yield
    Settling.writer.dispose()


Settling.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestSettling = Settling.TestCase
