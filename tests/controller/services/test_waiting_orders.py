"""An order with `when_online` waits for its device, is judged again when it comes, and not for ever."""

import pytest
from sqlmodel import Session

from controller.errors import AlreadyDecided
from controller.services import approvals, commands, devices, settling
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.services.waiting import is_settled
from controller.store.tables import Device, ToolExecution
from tests.controller.services.conditions.questions import queued
from tests.factories import ADMIN, NOON, a_presence, a_profile, a_reply, a_request, later

DELETE = a_request("delete_path", arguments={"path": "B"}, when_online=True, valid_s=600.0)


def submit(session: Session, *requests: commands.CommandRequest) -> list[ToolExecution]:
    rows = commands.submit_plan(session, requests, actor=ADMIN, now=NOON)
    session.flush()
    return rows


def go(session: Session) -> None:
    devices.store_presence(session, "laptop", a_presence("offline"), now=NOON)


def come(session: Session, seconds: float = 30) -> None:
    devices.store_presence(session, "laptop", a_presence(at=later(seconds)), now=later(seconds))
    settling.device_came(session, "laptop", now=later(seconds))
    session.flush()


def test_it_waits_for_a_device_that_is_away_and_leaves_when_it_comes(
    session: Session, laptop: Device
) -> None:
    go(session)
    (row,) = submit(session, a_request(when_online=True, valid_s=600.0))
    assert (row.status, row.released_at, row.expires_at) == (Status.WAITING, None, later(600))

    come(session, 30)

    assert (row.status, row.released_at) == (Status.QUEUED, later(30))
    assert row.expires_at == later(600)  # counted from the submit
    assert queued(session) == [row.id]


def test_it_leaves_at_once_when_its_device_is_there(session: Session, laptop: Device) -> None:
    (row,) = submit(session, a_request(when_online=True, valid_s=600.0))

    assert (row.status, row.released_at) == (Status.QUEUED, NOON)


def test_those_that_wait_leave_in_the_order_of_their_submission(session: Session, laptop: Device) -> None:
    go(session)
    rows = [
        submit(session, a_request(arguments={"path": f"p{number}"}, when_online=True))[0]
        for number in range(20)
    ]

    come(session, 10)

    assert queued(session) == [row.id for row in rows]


def test_a_device_that_comes_again_releases_nothing_twice(session: Session, laptop: Device) -> None:
    go(session)
    (row,) = submit(session, a_request(when_online=True, valid_s=600.0))

    come(session, 30)
    come(session, 31)

    assert queued(session) == [row.id]


def test_without_it_an_order_ends_where_it_did(session: Session, laptop: Device) -> None:
    go(session)
    (row,) = submit(session, a_request())

    assert (row.status, (row.error or {})["code"]) == (Status.EXPIRED, "device_offline")


def test_a_device_that_never_comes_lets_it_expire(session: Session, laptop: Device) -> None:
    go(session)
    (row,) = submit(session, a_request(when_online=True, valid_s=600.0))

    assert not settling.due(session, now=later(599))
    assert settling.due(session, now=later(600))
    settling.expire(session, now=later(600))

    assert (row.status, (row.error or {})["code"]) == (Status.EXPIRED, "device_offline")
    assert "Nothing was sent" in (row.error_message or "")


def test_a_device_that_comes_too_late_gets_nothing(session: Session, laptop: Device) -> None:
    go(session)
    (row,) = submit(session, a_request(when_online=True, valid_s=600.0))

    come(session, 601)

    assert row.status == Status.EXPIRED
    assert queued(session) == []


def test_what_is_forbidden_meanwhile_is_denied_when_the_device_comes(
    session: Session, laptop: Device
) -> None:
    go(session)
    (row,) = submit(session, a_request(when_online=True, valid_s=600.0))
    change = devices.PolicyChange(policy=PolicyProfile.OBSERVE)
    devices.change(session, "laptop", change, actor=ADMIN, now=later(1))

    come(session)

    assert row.status == Status.DENIED
    assert queued(session) == []


def test_what_its_tool_was_taken_from_is_denied_at_once(session: Session, laptop: Device) -> None:
    go(session)
    (row,) = submit(session, a_request(when_online=True, valid_s=600.0))

    devices.store_profile(session, "laptop", a_profile(tools=[], at=later(1)), now=later(1))
    commands.withdraw(session, "laptop", now=later(1))

    assert (row.status, (row.error or {})["code"]) == (Status.DENIED, "unknown_tool")


def test_a_yes_may_come_before_the_device(session: Session, laptop: Device) -> None:
    go(session)
    (row,) = submit(session, DELETE)
    assert (row.status, row.expires_at) == (Status.AWAITING_APPROVAL, later(600))

    approvals.decide(session, row.approval_id or "", approve=True, actor=ADMIN, now=later(5))
    assert (row.status, row.expires_at) == (Status.WAITING, later(600))
    come(session, 30)

    assert (row.status, row.released_at) == (Status.QUEUED, later(30))


def test_a_yes_may_come_after_the_device(session: Session, laptop: Device) -> None:
    go(session)
    (row,) = submit(session, DELETE)

    come(session, 5)
    assert row.status == Status.AWAITING_APPROVAL
    approvals.decide(session, row.approval_id or "", approve=True, actor=ADMIN, now=later(30))

    assert (row.status, row.released_at) == (Status.QUEUED, later(30))


def test_a_card_that_nobody_answers_ends_what_would_have_waited_longer(
    session: Session, laptop: Device
) -> None:
    go(session)
    (row,) = submit(session, a_request("delete_path", arguments={"path": "B"}, when_online=True, valid_s=9e4))

    settling.expire(session, now=later(900))
    approvals.expire(session, now=later(900))

    assert (row.status, (row.error or {})["code"]) == (Status.EXPIRED, "approval_expired")


def test_an_order_that_is_over_before_its_card_takes_the_question_back(
    session: Session, laptop: Device
) -> None:
    (row,) = submit(session, DELETE)

    settling.expire(session, now=later(600))

    assert (row.status, (row.error or {})["code"]) == (Status.EXPIRED, "expired")
    assert approvals.get(session, row.approval_id or "").status == "cancelled"
    with pytest.raises(AlreadyDecided):
        approvals.decide(session, row.approval_id or "", approve=True, actor=ADMIN, now=later(601))


def test_cancelled_while_it_waits_it_never_leaves(session: Session, laptop: Device) -> None:
    go(session)
    (row,) = submit(session, a_request(when_online=True, valid_s=600.0))

    commands.cancel(session, row.id, actor=ADMIN, now=later(1))
    come(session)

    assert row.status == Status.CANCELLED
    assert queued(session) == []


def test_steps_of_a_plan_wait_for_the_device_and_for_each_other(session: Session, laptop: Device) -> None:
    go(session)
    first, second = submit(
        session,
        a_request(when_online=True, valid_s=600.0),
        a_request(arguments={"path": "B"}, when_online=True, valid_s=600.0),
    )

    come(session, 30)
    assert queued(session) == [first.id]
    devices.store_presence(session, "laptop", a_presence("offline"), now=later(31))
    settling.settle(session, "laptop", a_reply(first.id), now=later(32))
    assert second.status == Status.WAITING
    come(session, 40)

    assert queued(session) == [first.id, second.id]


def test_who_waits_for_the_outcome_is_not_kept_by_a_device_that_is_away(
    session: Session, laptop: Device
) -> None:
    go(session)

    assert is_settled(submit(session, a_request(when_online=True, valid_s=600.0)))


def test_a_device_that_has_no_place_here_is_not_waited_for(session: Session) -> None:
    (row,) = submit(session, a_request(device_id="nowhere", when_online=True))

    assert (row.status, (row.error or {})["code"]) == (Status.DENIED, "unknown_device")
