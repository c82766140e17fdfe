"""Orders to groups of which some are away, silent, or not heard again yet."""

import pytest
from sqlmodel import Session

from controller.services import commands, devices, rollouts, settling
from controller.services.conditions import Condition
from controller.services.orders import Status
from controller.services.rollouts import Pace
from schemas.commands import ReplyStatus
from schemas.errors import ErrorCode
from tests.controller.services.fleet import a_lab, an_order, answer, children_of, ordered, statuses
from tests.factories import (
    NOON,
    a_presence,
    a_reply,
    later,
)


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
