"""Orders to groups that a person has to decide: one card for all."""

import pytest
from sqlmodel import Session

from controller.errors import Conflict
from controller.mqtt import letters
from controller.services import approvals, devices, rollouts
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.services.rollouts import Pace
from schemas.errors import ErrorCode
from schemas.wire import MAX_PAYLOAD
from tests.controller.services.fleet import a_lab, an_order, asked, children_of, ordered, statuses
from tests.factories import (
    ADMIN,
    NOON,
    later,
)


def test_one_card_asks_for_all_of_them(session: Session) -> None:
    parent = asked(session)

    [card] = approvals.pending(session)
    assert card.summary == "delete_path on 2 devices of lab: path=Test"
    assert [each["device_id"] for each in card.commands] == ["lab-000", "lab-001"]
    assert (parent.status, parent.approval_id) == (Status.AWAITING_APPROVAL, card.id)
    assert statuses(session, parent) == ["awaiting_approval"] * 2
    assert [row.id for row in approvals.plan_of(session, card.id)] == [parent.id]


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
