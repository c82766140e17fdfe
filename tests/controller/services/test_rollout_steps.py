"""Orders to groups while they go on: in steps, cancelled, counted, found again."""

import pytest
from sqlmodel import Session, col, select

from controller.errors import Conflict
from controller.services import approvals, commands, devices, rollouts, settling
from controller.services.cards import ApprovalStatus
from controller.services.orders import Status
from controller.services.rollouts import Pace, progress
from controller.store import notices
from controller.store.tables import AuditEntry
from schemas.commands import ReplyStatus
from tests.controller.services.fleet import a_lab, an_order, answer, asked, children_of, ordered, statuses
from tests.factories import (
    ADMIN,
    NOON,
    a_place,
    a_presence,
    a_profile,
    a_reply,
    a_tool,
)


def test_many_leave_in_steps_so_that_others_can_write_too(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_lab(session, 3)
    monkeypatch.setattr(progress, "AT_ONCE", 2)
    parent = ordered(session, an_order())
    assert statuses(session, parent) == ["queued", "queued", "held"]

    look_at = rollouts.advance(session, parent.id, now=NOON)

    assert statuses(session, parent) == ["queued"] * 3
    assert look_at is None


def test_who_looks_at_one_with_more_to_leave_is_told_to_look_again_at_once(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_lab(session, 5)
    monkeypatch.setattr(progress, "AT_ONCE", 2)
    parent = ordered(session, an_order())

    assert rollouts.advance(session, parent.id, now=NOON) == NOON


def test_a_cancelled_order_cancels_all_that_is_open(session: Session) -> None:
    a_lab(session, 3)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=2)))
    answer(session, children_of(session, parent)[0])
    notices.taken(session)

    rollouts.cancel(session, parent.id, actor=ADMIN, now=NOON)

    assert statuses(session, parent) == ["succeeded", "queued", "queued"]  # both have left
    wanted = [each for each in notices.of(session) if isinstance(each, notices.CancelWanted)]
    assert [each.command.device_id for each in wanted] == ["lab-001", "lab-002"]
    for row in children_of(session, parent)[1:]:
        answer(session, row, ReplyStatus.CANCELLED)
    assert (parent.status, parent.error_message) == (Status.CANCELLED, "2 of 3 cancelled.")


def test_nothing_leaves_after_a_cancel(session: Session) -> None:
    a_lab(session, 3)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=1)))

    rollouts.cancel(session, parent.id, actor=ADMIN, now=NOON)

    assert statuses(session, parent) == ["queued", "cancelled", "cancelled"]
    answer(session, children_of(session, parent)[0])
    assert (parent.status, parent.error_message) == (Status.CANCELLED, "2 of 3 cancelled.")


def test_a_cancelled_order_takes_its_question_back(session: Session) -> None:
    parent = asked(session)

    rollouts.cancel(session, parent.id, actor=ADMIN, now=NOON)

    assert statuses(session, parent) == ["cancelled", "cancelled"]
    assert parent.status == Status.CANCELLED
    assert approvals.get(session, str(parent.approval_id)).status == ApprovalStatus.CANCELLED


def test_an_order_that_has_ended_cannot_be_cancelled(session: Session) -> None:
    a_lab(session, 1)
    parent = ordered(session, an_order())
    answer(session, children_of(session, parent)[0])

    with pytest.raises(Conflict, match="has ended already: succeeded"):
        rollouts.cancel(session, parent.id, actor=ADMIN, now=NOON)


def test_a_single_command_is_cancelled_as_ever(session: Session) -> None:
    a_lab(session, 1)
    parent = ordered(session, an_order())
    [child] = children_of(session, parent)

    rollouts.cancel(session, child.id, actor=ADMIN, now=NOON)

    assert commands.cancel_wanted(session, child.id)


def test_how_far_it_is_is_told_once_a_step(session: Session) -> None:
    a_lab(session, 3)
    parent = ordered(session, an_order())
    notices.taken(session)

    def told() -> int:
        heard = notices.taken(session)
        return sum(isinstance(each, notices.CommandChanged) and each.command is parent for each in heard)

    for row in children_of(session, parent)[:2]:  # two answers in one transaction
        settling.settle(session, row.device_id, a_reply(row.id), now=NOON)
    rollouts.advance(session, parent.id, now=NOON)
    assert told() == 1
    rollouts.advance(session, parent.id, now=NOON)
    assert told() == 0


def test_the_order_and_each_command_are_audited(session: Session) -> None:
    a_lab(session, 1)
    parent = ordered(session, an_order())
    answer(session, children_of(session, parent)[0])

    audited = select(AuditEntry).where(AuditEntry.command_id == parent.id).order_by(col(AuditEntry.number))
    rows = session.exec(audited).all()
    assert [(row.action, row.actor, row.device_id) for row in rows] == [
        ("decision.allow", "ada", None),
        ("command.succeeded", "ada", None),
    ]


def test_a_secret_of_one_device_is_a_secret_of_the_order(session: Session) -> None:
    a_lab(session, 1)
    hidden = {"type": "object", "properties": {"path": {"type": "string", "writeOnly": True}}}
    tool = a_tool("create_directory", parameters=hidden, risk="low")
    devices.add(session, a_place("safe", groups=("lab",)), actor=ADMIN, now=NOON)
    devices.store_profile(session, "safe", a_profile("safe", tools=[tool]), now=NOON)
    devices.store_presence(session, "safe", a_presence(), now=NOON)

    parent = ordered(session, an_order())

    assert parent.parameters == {"path": "***"}


def test_what_is_open_is_found_again_after_a_restart(session: Session) -> None:
    a_lab(session, 1)
    parent, other = ordered(session, an_order()), ordered(session, an_order())
    answer(session, children_of(session, other)[0])

    assert rollouts.take_up(session) == [parent.id]


def test_a_reply_cannot_settle_the_order_itself(session: Session) -> None:
    [device_id] = a_lab(session, 1)
    parent = ordered(session, an_order())

    settled = settling.settle(session, device_id, a_reply(parent.id), now=NOON)

    assert settled is settling.Settled.REFUSED
    assert parent.status == Status.ACCEPTED
