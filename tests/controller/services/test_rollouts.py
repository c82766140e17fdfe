"""Orders to groups: one row for all, one for each, at a pace, until the last has ended."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from controller.errors import Conflict, UnknownGroup
from controller.mqtt import letters
from controller.services import approvals, commands, devices, rollouts, settling
from controller.services.cards import ApprovalStatus
from controller.services.conditions import Condition
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.services.rollouts import Pace, members, progress
from controller.store import notices
from controller.store.tables import AuditEntry, ToolExecution
from schemas.commands import ReplyStatus
from schemas.errors import ErrorCode
from schemas.wire import MAX_PAYLOAD
from tests.controller.services.fleet import a_lab, an_order, children_of, ordered, statuses
from tests.factories import (
    ADMIN,
    NOON,
    VIEWER,
    a_place,
    a_presence,
    a_profile,
    a_reply,
    a_tool,
    an_error,
    later,
)


def answer(session: Session, row: ToolExecution, status: ReplyStatus = ReplyStatus.SUCCEEDED) -> None:
    """What the device says of its command, and what that leads to."""
    error = None if status is ReplyStatus.SUCCEEDED else an_error()
    settling.settle(session, row.device_id, a_reply(row.id, status, error=error), now=NOON)
    rollouts.advance(session, str(row.parent_id), now=NOON)


def test_every_device_of_the_group_gets_a_command_of_its_own(session: Session) -> None:
    a_lab(session, 3)
    a_lab(session, 1, group="attic")

    parent = ordered(session, an_order())

    assert [row.device_id for row in children_of(session, parent)] == ["lab-000", "lab-001", "lab-002"]
    assert all(row.released_at == NOON for row in children_of(session, parent))
    assert (parent.status, parent.device_id, parent.group_name) == (Status.ACCEPTED, "", "lab")
    assert parent.released_at is None  # nobody can send it anywhere
    assert parent.parameters == {"path": "Test"}
    assert [row.parameters for row in children_of(session, parent)] == [{"path": "/srv/files/Test"}] * 3


def test_an_unknown_group_is_told_with_those_that_exist(session: Session) -> None:
    a_lab(session, 1)
    a_lab(session, 1, group="attic")

    with pytest.raises(UnknownGroup, match=r"no group 'cellar'\. The groups are: attic, lab"):
        rollouts.submit(
            session, rollouts.GroupRequest("cellar", an_order().order, Pace()), actor=ADMIN, now=NOON
        )


def test_a_group_that_is_too_large_is_refused_whole(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_lab(session, 3)
    monkeypatch.setattr(members, "MOST", 2)

    with pytest.raises(Conflict, match="has 3 devices; one order may go to 2"):
        ordered(session, an_order())


def test_it_has_succeeded_when_all_have(session: Session) -> None:
    a_lab(session, 2)
    parent = ordered(session, an_order())
    first, second = children_of(session, parent)

    answer(session, first)
    assert (parent.status, parent.progress) == (Status.ACCEPTED, 0.5)
    answer(session, second)

    assert (parent.status, parent.progress, parent.success) == (Status.SUCCEEDED, 1.0, True)
    assert parent.result is not None
    assert (parent.result["total"], parent.result["succeeded"], parent.result["open"]) == (2, 2, 0)


def test_one_that_did_not_succeed_makes_it_failed_with_the_count(session: Session) -> None:
    a_lab(session, 3)
    parent = ordered(session, an_order())
    first, second, third = children_of(session, parent)

    answer(session, first)
    answer(session, second, ReplyStatus.REJECTED)
    answer(session, third)

    assert (parent.status, parent.error_message) == (Status.FAILED, "1 of 3 failed.")
    assert parent.error == {"code": "internal", "message": "1 of 3 failed."}


def test_no_more_are_on_the_way_than_asked_for(session: Session) -> None:
    a_lab(session, 4)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=2)))

    assert statuses(session, parent) == ["queued", "queued", "held", "held"]
    answer(session, children_of(session, parent)[1])
    assert statuses(session, parent) == ["queued", "succeeded", "queued", "held"]


def test_those_that_are_away_do_not_take_a_place(session: Session) -> None:
    ids = a_lab(session, 4)
    for device_id in ids[:2]:
        devices.store_presence(session, device_id, a_presence("offline"), now=NOON)

    parent = ordered(session, an_order(pace=Pace(max_in_flight=1)))

    assert statuses(session, parent) == ["expired", "expired", "queued", "held"]
    assert children_of(session, parent)[0].error is not None
    assert parent.rollout is not None
    assert (parent.rollout["expired"], parent.rollout["open"]) == (2, 2)


def test_a_rate_lets_one_leave_after_the_other(session: Session) -> None:
    a_lab(session, 3)
    parent = ordered(session, an_order(pace=Pace(rate_per_s=2, max_in_flight=None)))
    assert statuses(session, parent) == ["queued", "held", "held"]

    look_at = rollouts.advance(session, parent.id, now=later(0.1))
    assert look_at is not None
    assert statuses(session, parent) == ["queued", "held", "held"]
    rollouts.advance(session, parent.id, now=look_at)
    assert statuses(session, parent) == ["queued", "queued", "held"]


def test_the_time_that_a_command_has_counts_from_its_own_release(session: Session) -> None:
    a_lab(session, 2)
    parent = ordered(session, an_order(pace=Pace(rate_per_s=1, max_in_flight=None), valid_s=30))

    rollouts.advance(session, parent.id, now=later(100))

    first, second = children_of(session, parent)
    assert (first.expires_at, second.expires_at) == (later(30), later(130))


def test_what_never_had_its_turn_expires_with_the_order(session: Session) -> None:
    a_lab(session, 2)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=1)))

    rollouts.advance(session, parent.id, now=parent.expires_at + timedelta(seconds=1))

    first, second = children_of(session, parent)
    assert (first.status, second.status) == (Status.QUEUED, Status.EXPIRED)
    assert second.error_message == "It expired before its turn came. Nothing was sent."


def test_it_stops_after_so_many_failures(session: Session) -> None:
    a_lab(session, 5)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=1, stop_after=2)))

    answer(session, children_of(session, parent)[0], ReplyStatus.FAILED)
    assert statuses(session, parent)[1] == "queued"
    answer(session, children_of(session, parent)[1], ReplyStatus.INTERRUPTED)

    assert statuses(session, parent) == ["failed", "interrupted", "cancelled", "cancelled", "cancelled"]
    assert children_of(session, parent)[2].error_message == "Not run: stopped after 2 failures."
    assert (parent.status, parent.error_message) == (Status.FAILED, "2 of 5 failed, 3 not run.")
    assert parent.rollout is not None
    assert parent.rollout["stopped"] is True


def test_what_is_on_the_way_when_it_stops_is_waited_for(session: Session) -> None:
    a_lab(session, 3)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=2, stop_after=1)))

    answer(session, children_of(session, parent)[0], ReplyStatus.FAILED)
    assert statuses(session, parent) == ["failed", "queued", "cancelled"]
    assert parent.status == Status.ACCEPTED
    answer(session, children_of(session, parent)[1])

    assert parent.error_message == "1 of 3 failed, 1 not run."


def test_a_command_that_a_person_cancelled_is_no_failure(session: Session) -> None:
    a_lab(session, 3)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=1, stop_after=1)))

    commands.cancel(session, children_of(session, parent)[2].id, actor=ADMIN, now=NOON)
    rollouts.advance(session, parent.id, now=NOON)
    answer(session, children_of(session, parent)[0])

    assert statuses(session, parent) == ["succeeded", "queued", "cancelled"]
    assert parent.rollout is not None
    assert parent.rollout["stopped"] is False


def test_each_device_is_judged_by_its_own_rules(session: Session) -> None:
    a_lab(session, 2)
    devices.change(
        session,
        "lab-001",
        devices.PolicyChange(allowed_paths=("/srv/files/only",)),
        actor=ADMIN,
        now=NOON,
    )

    parent = ordered(session, an_order(arguments={"path": "/srv/files/Test"}))

    assert statuses(session, parent) == ["queued", "denied"]
    assert children_of(session, parent)[1].error is not None
    assert parent.decision == "allow"


def test_denied_at_the_door_is_a_failure_that_can_stop_all(session: Session) -> None:
    a_lab(session, 2)
    devices.add(session, a_place("lab-900", groups=("lab",)), actor=ADMIN, now=NOON)

    parent = ordered(session, an_order(pace=Pace(stop_after=1)))

    assert statuses(session, parent) == ["cancelled", "cancelled", "denied"]
    assert (parent.status, parent.error_message) == (Status.FAILED, "1 of 3 failed, 2 not run.")


def test_what_nobody_may_do_is_denied_on_every_device(session: Session) -> None:
    a_lab(session, 2)

    parent = ordered(session, an_order(), VIEWER)

    assert statuses(session, parent) == ["denied", "denied"]
    assert (parent.status, parent.decision) == (Status.FAILED, "deny")
    assert parent.error == {"code": "permission_denied", "message": "2 of 2 failed."}


def test_permission_is_asked_for_again_when_the_turn_comes(session: Session) -> None:
    a_lab(session, 2)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=1)))
    devices.store_profile(session, "lab-001", a_profile("lab-001", tools=[a_tool()]), now=NOON)

    answer(session, children_of(session, parent)[0])

    assert statuses(session, parent) == ["succeeded", "denied"]
    assert children_of(session, parent)[1].error == {
        "code": ErrorCode.UNKNOWN_TOOL,
        "message": "lab-001 does not offer 'create_directory' any more.",
    }


def asked(session: Session, number: int = 2, pace: Pace | None = None) -> ToolExecution:
    """An order that a person has to decide."""
    a_lab(session, number)
    order = an_order("delete_path", pace=pace or Pace())
    return ordered(session, order)


def test_one_card_asks_for_all_of_them(session: Session) -> None:
    parent = asked(session)

    [card] = approvals.pending(session)
    assert card.summary == "delete_path on 2 devices of lab: path=Test"
    assert [each["device_id"] for each in card.commands] == ["lab-000", "lab-001"]
    assert (parent.status, parent.approval_id) == (Status.AWAITING_APPROVAL, card.id)
    assert statuses(session, parent) == ["awaiting_approval"] * 2
    assert approvals.command_ids(session, card.id) == [parent.id]


def test_a_yes_lets_them_leave_at_their_pace(session: Session) -> None:
    parent = asked(session, 3, Pace(max_in_flight=1))

    approvals.decide(session, str(parent.approval_id), approve=True, actor=ADMIN, now=later(60))
    assert parent.status == Status.QUEUED
    rollouts.advance(session, parent.id, now=later(60))

    assert statuses(session, parent) == ["queued", "held", "held"]
    assert parent.status == Status.ACCEPTED
    assert children_of(session, parent)[1].expires_at == parent.expires_at


def test_a_no_ends_all_of_them(session: Session) -> None:
    parent = asked(session)

    approvals.decide(session, str(parent.approval_id), approve=False, actor=ADMIN, now=NOON)
    assert parent.status == Status.QUEUED  # nobody is asked any more
    rollouts.advance(session, parent.id, now=NOON)

    assert statuses(session, parent) == ["denied", "denied"]
    assert parent.status == Status.FAILED
    assert parent.error == {"code": ErrorCode.APPROVAL_DENIED, "message": "2 of 2 failed."}


def test_what_needs_no_approval_waits_for_the_same_card(session: Session) -> None:
    a_lab(session, 2)
    manage = devices.PolicyChange(policy=PolicyProfile.MANAGE)
    devices.change(session, "lab-000", manage, actor=ADMIN, now=NOON)

    parent = ordered(session, an_order("delete_path"))

    assert [row.decision for row in children_of(session, parent)] == ["allow", "ask"]
    assert statuses(session, parent) == ["awaiting_approval"] * 2


def test_nobody_decided_in_time(session: Session) -> None:
    parent = asked(session)

    approvals.expire(session, now=later(3_600))
    rollouts.advance(session, parent.id, now=later(3_600))

    assert statuses(session, parent) == ["expired", "expired"]
    assert parent.status == Status.FAILED


def test_a_card_that_would_not_fit_is_refused_with_the_number_that_does(session: Session) -> None:
    a_lab(session, 3)
    long = {"path": "x/" * 1_900, "content": "y" * 100_000}

    with pytest.raises(Conflict, match="3 devices do not fit on one card; 2 would"):
        ordered(session, an_order("write_file", arguments=long | {"overwrite": True}))


def test_a_card_that_fits_is_no_larger_than_a_message(session: Session) -> None:
    a_lab(session, 2)
    long = {"path": "x/" * 100, "content": "y" * 100_000, "overwrite": True}

    ordered(session, an_order("write_file", arguments=long))

    [row] = approvals.pending(session)
    assert len(letters.card(row)) <= MAX_PAYLOAD


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

    rows = session.exec(select(AuditEntry).where(AuditEntry.command_id == parent.id)).all()
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


def away(session: Session, device_id: str) -> None:
    """The device says goodbye."""
    devices.store_presence(session, device_id, a_presence("offline"), now=NOON)


def back(session: Session, device_id: str) -> None:
    """The device comes back."""
    devices.store_presence(session, device_id, a_presence(), now=later(10))
    settling.device_came(session, device_id, now=later(10))


def test_devices_that_are_away_are_waited_for_without_holding_up_the_others(session: Session) -> None:
    ids = a_lab(session, 3)
    away(session, ids[0])

    parent = ordered(session, an_order(pace=Pace(max_in_flight=1), when_online=True, valid_s=600))

    assert statuses(session, parent) == ["waiting", "queued", "held"]
    for row in children_of(session, parent)[1:]:
        answer(session, row)
    assert parent.status == Status.WAITING
    assert parent.progress == pytest.approx(2 / 3)
    assert parent.rollout is not None
    assert (parent.rollout["waiting"], parent.rollout["open"]) == (1, 1)
    assert parent.expires_at == later(600)


def test_a_device_that_comes_back_takes_its_turn_like_the_others(session: Session) -> None:
    ids = a_lab(session, 2)
    away(session, ids[0])
    parent = ordered(session, an_order(pace=Pace(max_in_flight=1), when_online=True, valid_s=600))
    assert statuses(session, parent) == ["waiting", "queued"]

    back(session, ids[0])
    rollouts.advance(session, parent.id, now=later(10))
    assert statuses(session, parent) == ["held", "queued"]
    answer(session, children_of(session, parent)[1])

    assert statuses(session, parent) == ["queued", "succeeded"]
    assert children_of(session, parent)[0].expires_at == later(600)  # counted from the submit


def test_a_device_that_stays_away_ends_the_order_when_its_time_is_over(session: Session) -> None:
    [device_id] = a_lab(session, 1)
    away(session, device_id)
    parent = ordered(session, an_order(when_online=True, valid_s=600))

    settling.expire(session, now=later(601))
    rollouts.advance(session, parent.id, now=later(601))

    assert statuses(session, parent) == ["expired"]
    assert (parent.status, parent.error) == (
        Status.FAILED,
        {"code": ErrorCode.DEVICE_OFFLINE, "message": "1 of 1 failed."},
    )


def test_what_stops_the_order_stops_those_that_wait_for_their_devices(session: Session) -> None:
    ids = a_lab(session, 2)
    away(session, ids[0])
    order = an_order(pace=Pace(stop_after=1), when_online=True, valid_s=600)
    parent = ordered(session, order)

    answer(session, children_of(session, parent)[1], ReplyStatus.FAILED)

    assert statuses(session, parent) == ["cancelled", "failed"]


def test_each_device_answers_the_precondition_for_itself(session: Session) -> None:
    a_lab(session, 2)
    there = Condition("path_info", {"path": "Test"}, "exists")
    parent = ordered(session, an_order(pace=Pace(max_in_flight=1), condition=there))
    assert parent.condition == {"tool": "path_info", "arguments": {"path": "Test"}, "field": "exists"}

    for expected in ("cancelled", "queued"):
        question = next(
            row for row in commands.listed(session) if row.tool_name == "path_info" and row.success is None
        )
        exists = expected == "queued"
        reply = a_reply(question.id, result={"exists": exists})
        settling.settle(session, question.device_id, reply, now=NOON)
        rollouts.advance(session, parent.id, now=NOON)

    assert statuses(session, parent) == ["cancelled", "queued"]
    assert children_of(session, parent)[0].error_message == "Not run: path_info said exists = false."


def test_devices_that_have_not_spoken_since_a_restart_are_given_a_moment(session: Session) -> None:
    ids = a_lab(session, 3)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=1)))
    devices.nobody_is_known_online(session)
    devices.store_presence(session, ids[2], a_presence(), now=NOON)

    answer(session, children_of(session, parent)[0])
    assert statuses(session, parent) == ["succeeded", "held", "queued"]
    devices.store_presence(session, ids[1], a_presence(), now=later(5))
    answer(session, children_of(session, parent)[2])

    assert statuses(session, parent) == ["succeeded", "queued", "succeeded"]


def test_one_that_stays_silent_after_a_restart_is_away(session: Session) -> None:
    a_lab(session, 2)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=1)))
    devices.nobody_is_known_online(session)

    answer(session, children_of(session, parent)[0])
    look_at = rollouts.advance(session, parent.id, now=later(29))
    assert statuses(session, parent) == ["succeeded", "held"]
    assert look_at is not None
    rollouts.advance(session, parent.id, now=later(31))

    assert statuses(session, parent) == ["succeeded", "expired"]
    assert parent.status == Status.FAILED


def test_every_restart_gives_them_a_new_moment(session: Session) -> None:
    a_lab(session, 2)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=1)))
    devices.nobody_is_known_online(session)
    answer(session, children_of(session, parent)[0])

    rollouts.take_up(session)
    rollouts.advance(session, parent.id, now=later(40))
    assert statuses(session, parent) == ["succeeded", "held"]
    rollouts.advance(session, parent.id, now=later(71))

    assert statuses(session, parent) == ["succeeded", "expired"]


def test_what_its_device_has_accepted_is_on_the_way_still(session: Session) -> None:
    a_lab(session, 3)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=2)))
    first, second, _ = children_of(session, parent)

    settling.published(session, first.id, attempt=1, now=NOON)
    answer(session, second, ReplyStatus.ACCEPTED)

    assert statuses(session, parent) == ["sent", "accepted", "held"]


def test_a_clock_that_was_set_back_makes_the_moment_no_longer(session: Session) -> None:
    a_lab(session, 2)
    parent = ordered(session, an_order(pace=Pace(max_in_flight=1)))
    devices.nobody_is_known_online(session)
    answer(session, children_of(session, parent)[0])

    rollouts.advance(session, parent.id, now=later(-10_000))
    rollouts.advance(session, parent.id, now=later(-10_000 + 31))

    assert statuses(session, parent) == ["succeeded", "expired"]
