"""Asking a person: a card is bound to what it shows, decided once, and ends on its own."""

import dataclasses
import hashlib
from datetime import timedelta

import pytest
import rfc8785
from sqlmodel import Session

from controller.errors import AlreadyDecided, Refused, UnknownApproval
from controller.services import approvals, audit, commands, devices, settling
from controller.services.actors import Actor
from controller.services.cards import ApprovalStatus
from controller.services.conditions import Condition
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.store import notices
from controller.store.tables import ApprovalRow, Device, ToolExecution
from schemas.errors import ErrorCode
from tests.factories import (
    ADMIN,
    NOON,
    OPERATOR,
    VIEWER,
    a_presence,
    a_reply,
    a_request,
    later,
)

DELETE = a_request("delete_path", arguments={"path": "Test"})
CREATE = a_request(arguments={"path": "Test"})
LATE = later(approvals.VALID_FOR.total_seconds() + 1)


def submit(session: Session, *requests: commands.CommandRequest) -> list[ToolExecution]:
    rows = commands.submit_plan(session, requests, actor=OPERATOR, now=NOON)
    session.flush()
    return rows


def card_of(session: Session, row: ToolExecution) -> ApprovalRow:
    assert row.approval_id is not None
    return approvals.get(session, row.approval_id)


def decide(session: Session, card: ApprovalRow, *, approve: bool = True) -> ApprovalRow:
    return approvals.decide(session, card.id, approve=approve, actor=ADMIN, now=later(10))


def queued(session: Session, row: ToolExecution) -> bool:
    return notices.CommandQueued(row) in notices.of(session)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (None, ""),
        (Condition(), ", only while it is online"),
        (Condition("path_info", {"path": "B"}), ", only if path_info: path=/srv/files/B says yes"),
        (
            Condition("path_info", {"path": "B"}, "exists"),
            ", only if path_info: path=/srv/files/B says exists = true",
        ),
    ],
)
def test_a_card_says_what_the_command_hangs_on(
    session: Session, laptop: Device, condition: Condition | None, said: str
) -> None:
    (row,) = submit(session, dataclasses.replace(DELETE, condition=condition))

    assert card_of(session, row).summary == f"delete_path on laptop: path=/srv/files/Test{said}"


def test_an_approved_command_leaves_with_a_fresh_deadline(session: Session, laptop: Device) -> None:
    (row,) = submit(session, DELETE)

    card = decide(session, card_of(session, row))

    assert (card.status, card.decided_by, card.decided_at) == (ApprovalStatus.APPROVED, "ada", later(10))
    assert (row.status, row.released_at) == (Status.QUEUED, later(10))
    assert row.expires_at == later(10 + commands.VALID_FOR)
    assert queued(session, row)


def test_a_denied_command_never_leaves_and_says_who_said_no(session: Session, laptop: Device) -> None:
    (row,) = submit(session, DELETE)

    approvals.decide(
        session, card_of(session, row).id, approve=False, actor=ADMIN, now=later(1), comment="Keep it."
    )

    assert row.status == Status.DENIED
    assert row.error == {"code": "approval_denied", "message": "ada said no. Keep it."}
    assert not queued(session, row)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_a_card_is_decided_once(
    session: Session,
    laptop: Device,
    first: bool,
    second: bool,
) -> None:
    (row,) = submit(session, DELETE)
    card = decide(session, card_of(session, row), approve=first)
    before = row.status

    with pytest.raises(AlreadyDecided):
        decide(session, card, approve=second)

    assert row.status == before
    assert len(audit.entries(session, action="approval.")) == 2


def test_a_card_nobody_answered_in_time_cannot_be_decided_even_before_the_sweep(
    session: Session, laptop: Device
) -> None:
    (row,) = submit(session, DELETE)
    card = card_of(session, row)

    with pytest.raises(AlreadyDecided, match="expired"):
        approvals.decide(session, card.id, approve=True, actor=ADMIN, now=card.expires_at)

    assert row.status == Status.AWAITING_APPROVAL


def test_the_sweep_ends_a_late_card_and_all_that_waited(session: Session, laptop: Device) -> None:
    rows = submit(session, DELETE, DELETE)
    assert not approvals.due(session, now=NOON)
    assert approvals.due(session, now=LATE)

    approvals.expire(session, now=LATE)

    assert card_of(session, rows[0]).status == ApprovalStatus.EXPIRED
    for row in rows:
        assert (row.status, (row.error or {})["code"]) == (Status.EXPIRED, ErrorCode.APPROVAL_EXPIRED)
    assert not approvals.due(session, now=LATE)


def test_a_decision_about_another_card_is_refused(session: Session, laptop: Device) -> None:
    (row,) = submit(session, DELETE)
    card = card_of(session, row)

    with pytest.raises(Refused):
        approvals.decide(session, card.id, approve=True, actor=ADMIN, now=later(1), shown_hash="0" * 64)

    assert card.status == ApprovalStatus.PENDING
    approvals.decide(session, card.id, approve=True, actor=ADMIN, now=later(1), shown_hash=card.hash)
    assert card.status == ApprovalStatus.APPROVED


def test_the_hash_is_that_of_the_commands_that_are_shown(session: Session, laptop: Device) -> None:
    (row,) = submit(session, DELETE)
    card = card_of(session, row)

    assert card.hash == hashlib.sha256(rfc8785.dumps(card.commands)).hexdigest()
    assert card.commands[0]["arguments"] == {"path": "/srv/files/Test"}


@pytest.mark.parametrize("actor", [OPERATOR, VIEWER])
def test_only_an_admin_decides(session: Session, laptop: Device, actor: Actor) -> None:
    (row,) = submit(session, DELETE)

    with pytest.raises(Refused):
        approvals.decide(session, card_of(session, row).id, approve=True, actor=actor, now=later(1))

    assert row.status == Status.AWAITING_APPROVAL


def test_an_unknown_card_is_unknown(session: Session) -> None:
    with pytest.raises(UnknownApproval):
        approvals.decide(session, "nothing", approve=True, actor=ADMIN, now=NOON)


def test_an_approval_does_not_outlive_a_stricter_policy(session: Session, laptop: Device) -> None:
    (row,) = submit(session, DELETE)
    change = devices.PolicyChange(policy=PolicyProfile.OBSERVE)
    devices.change(session, "laptop", change, actor=ADMIN, now=later(1))

    decide(session, card_of(session, row))

    assert (row.status, (row.error or {})["code"]) == (Status.DENIED, ErrorCode.PERMISSION_DENIED)


def test_an_approval_does_not_outlive_a_narrower_folder(session: Session, laptop: Device) -> None:
    (row,) = submit(session, DELETE)
    change = devices.PolicyChange(allowed_paths=("/srv/files/other",))
    devices.change(session, "laptop", change, actor=ADMIN, now=later(1))

    decide(session, card_of(session, row))

    assert (row.error or {})["code"] == ErrorCode.PATH_NOT_ALLOWED


def test_an_approval_for_a_device_that_was_removed_does_nothing(session: Session, laptop: Device) -> None:
    (row,) = submit(session, DELETE)
    devices.remove(session, "laptop", actor=ADMIN, now=later(1))

    decide(session, card_of(session, row))

    assert (row.error or {})["code"] == ErrorCode.UNKNOWN_DEVICE


def test_an_approval_for_a_device_that_is_away_sends_nothing_later(session: Session, laptop: Device) -> None:
    (row,) = submit(session, DELETE)
    devices.store_presence(session, "laptop", a_presence("offline"), now=later(1))

    decide(session, card_of(session, row))

    assert (row.status, (row.error or {})["code"]) == (Status.EXPIRED, ErrorCode.DEVICE_OFFLINE)


def test_several_commands_share_one_card_and_leave_in_order(session: Session, laptop: Device) -> None:
    first, second = submit(session, DELETE, DELETE)
    card = card_of(session, first)
    assert first.approval_id == second.approval_id
    assert len(card.commands) == 2
    assert [row.id for row in approvals.plan_of(session, card.id)] == [first.id, second.id]

    decide(session, card)
    assert (queued(session, first), queued(session, second)) == (True, False)

    settling.settle(session, "laptop", a_reply(first.id), now=later(11))
    assert queued(session, second)


def test_each_command_of_a_denied_card_is_denied_and_ends_once(session: Session, laptop: Device) -> None:
    rows = submit(session, DELETE, DELETE, CREATE)

    decide(session, card_of(session, rows[0]), approve=False)

    assert [row.status for row in rows] == [Status.DENIED, Status.DENIED, Status.CANCELLED]
    assert len(audit.entries(session, action="command.")) == 3


def test_an_approval_does_not_revive_a_step_whose_predecessor_just_ended(
    session: Session, laptop: Device
) -> None:
    first, second = submit(session, DELETE, DELETE)
    card = card_of(session, first)
    devices.store_presence(session, "laptop", a_presence("offline"), now=later(1))

    decide(session, card)

    assert (first.status, second.status) == (Status.EXPIRED, Status.CANCELLED)


def test_an_approval_does_not_release_a_step_after_one_that_is_denied_by_now(
    session: Session, laptop: Device
) -> None:
    other = a_request("delete_path", arguments={"path": "/srv/files/other/B"})
    first, second = submit(session, DELETE, other)
    change = devices.PolicyChange(allowed_paths=("/srv/files/other",))
    devices.change(session, "laptop", change, actor=ADMIN, now=later(1))

    decide(session, card_of(session, first))

    assert (first.status, second.status) == (Status.DENIED, Status.CANCELLED)


def test_a_step_that_needs_no_person_runs_while_the_next_one_waits(session: Session, laptop: Device) -> None:
    first, second = submit(session, CREATE, DELETE)

    assert (first.status, second.status) == (Status.QUEUED, Status.AWAITING_APPROVAL)
    decide(session, card_of(session, second))
    assert not queued(session, second)
    settling.settle(session, "laptop", a_reply(first.id), now=later(11))
    assert queued(session, second)


def test_a_card_that_no_command_waits_for_is_taken_back(session: Session, laptop: Device) -> None:
    first, second = submit(session, DELETE, DELETE)
    card = card_of(session, first)

    commands.cancel(session, second.id, actor=ADMIN, now=later(1))
    assert card.status == ApprovalStatus.PENDING
    commands.cancel(session, first.id, actor=ADMIN, now=later(2))

    assert card.status == ApprovalStatus.CANCELLED
    assert notices.ApprovalChanged(card) in notices.of(session)


def test_cards_are_listed_newest_first_and_by_status(session: Session, laptop: Device) -> None:
    (old,) = commands.submit_plan(session, [DELETE], actor=ADMIN, now=NOON)
    (new,) = commands.submit_plan(session, [DELETE], actor=ADMIN, now=NOON + timedelta(seconds=5))
    decide(session, card_of(session, old))

    assert [card.id for card in approvals.listed(session)] == [new.approval_id, old.approval_id]
    pending = approvals.listed(session, status=ApprovalStatus.PENDING)
    assert [card.id for card in pending] == [new.approval_id]
