"""What each reply, refusal and silence does to a command."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from controller.services import audit, commands, devices, orders, settling
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.services.settling import Settled
from controller.store import notices
from controller.store.tables import Device, ToolExecution
from schemas.commands import ReplyStatus
from schemas.errors import ErrorCode
from tests.factories import (
    ADMIN,
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
            if status not in orders.ON_THE_WAY:
                assert then is None
            elif reply.is_final:
                assert then == Status(reply.value)
            else:
                assert then is Status.ACCEPTED
