"""Orders to groups: one row for all, one for each, at a pace, judged device by device."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from controller.errors import Conflict, UnknownGroup
from controller.services import commands, devices, rollouts
from controller.services.orders import Status
from controller.services.rollouts import Pace, members
from schemas.commands import ReplyStatus
from schemas.errors import ErrorCode
from tests.controller.services.fleet import a_lab, an_order, answer, children_of, ordered, statuses
from tests.factories import (
    ADMIN,
    NOON,
    VIEWER,
    a_place,
    a_presence,
    a_profile,
    a_tool,
    later,
)


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
