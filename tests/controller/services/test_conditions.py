"""An order with a precondition leaves on a true answer of its device, given for this leaving, or not at all."""

from typing import Any

import pytest
from sqlmodel import Session, select

from controller.services import approvals, commands, conditions, devices, settling
from controller.services.conditions import ONLINE, Condition
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.store import notices
from controller.store.tables import Device, ToolExecution
from schemas.commands import ReplyStatus
from tests.factories import (
    ADMIN,
    NOON,
    OPERATOR,
    a_place,
    a_presence,
    a_profile,
    a_reply,
    a_request,
    a_tool,
    an_error,
    later,
)

EXISTS = Condition("path_info", {"path": "Backup"}, "exists")


def submit(session: Session, condition: Condition = EXISTS, **fields: Any) -> ToolExecution:
    request = a_request(condition=condition, **fields)
    row = commands.submit(session, request, actor=ADMIN, now=NOON)
    session.flush()
    return row


def question(session: Session, row: ToolExecution) -> ToolExecution:
    return commands.get(session, conditions.checked_by(row) or "")


def answer(session: Session, row: ToolExecution, at: float = 1.0, **result: Any) -> None:
    reply = a_reply(question(session, row).id, result=result)
    settling.settle(session, "laptop", reply, now=later(at))
    session.flush()


def queued(session: Session) -> list[str]:
    return [each.command.id for each in notices.of(session) if isinstance(each, notices.CommandQueued)]


def test_the_device_is_asked_first_by_a_command_of_its_own(session: Session, laptop: Device) -> None:
    row = submit(session)
    asking = question(session, row)

    assert (asking.tool_name, asking.parameters) == ("path_info", {"path": "/srv/files/Backup"})
    assert (asking.requested_by, asking.via, asking.trace_id) == ("ada", "api", row.trace_id)
    assert (asking.status, asking.released_at) == (Status.QUEUED, NOON)
    assert (row.status, row.released_at, row.follows) == (Status.QUEUED, None, asking.id)
    assert queued(session) == [asking.id]


def test_a_true_answer_lets_it_leave(session: Session, laptop: Device) -> None:
    row = submit(session)

    answer(session, row, exists=True, type="folder")

    assert (row.status, row.released_at) == (Status.QUEUED, later(1))
    assert queued(session)[-1] == row.id
    assert row.expires_at == later(60)  # the question took of its time


@pytest.mark.parametrize(
    ("condition", "result", "sentence"),
    [
        (EXISTS, {"exists": False}, "Not run: path_info said exists = false."),
        (
            EXISTS,
            {"ok": True},
            "Not run: path_info said neither true nor false about exists; it answered ok.",
        ),
        (
            EXISTS,
            {"exists": 1},
            "Not run: path_info said neither true nor false about exists; it answered no yes or no.",
        ),
        (
            EXISTS,
            {"exists": "true"},
            "Not run: path_info said neither true nor false about exists; it answered no yes or no.",
        ),
        (
            Condition("path_info", {"path": "Backup"}),
            {"exists": True, "hidden": True},
            "Not run: path_info answered exists, hidden; say which one must be true.",
        ),
        (
            Condition("path_info", {"path": "Backup"}),
            {"size": 3},
            "Not run: path_info answered no yes or no; say which one must be true.",
        ),
        (
            Condition("path_info", {"path": "Backup"}),
            {"there": False},
            "Not run: path_info said there = false.",
        ),
    ],
)
def test_anything_but_true_keeps_it_from_running(
    session: Session, laptop: Device, condition: Condition, result: dict[str, Any], sentence: str
) -> None:
    row = submit(session, condition)

    answer(session, row, **result)

    assert (row.status, row.released_at) == (Status.CANCELLED, None)
    assert (row.error or {})["code"] == "conflict"
    assert row.error_message == sentence


def test_the_only_yes_or_no_of_an_answer_needs_no_name(session: Session, laptop: Device) -> None:
    row = submit(session, Condition("path_info", {"path": "Backup"}))

    answer(session, row, exists=True, size=3)

    assert row.released_at == later(1)


def test_names_that_a_device_made_up_are_not_repeated(session: Session, laptop: Device) -> None:
    row = submit(session, Condition("path_info", {"path": "Backup"}))

    answer(session, row, **{"ok": True, "\x1b[31m run: rm -rf": True})

    assert row.error_message == "Not run: path_info answered ok, 1 more; say which one must be true."


@pytest.mark.parametrize("status", [each for each in ReplyStatus if each.is_final and each != "succeeded"])
def test_a_question_that_fails_keeps_it_from_running(
    session: Session, laptop: Device, status: ReplyStatus
) -> None:
    row = submit(session)

    reply = a_reply(question(session, row).id, status, result={"exists": True}, error=an_error())
    settling.settle(session, "laptop", reply, now=later(1))

    assert (row.status, row.released_at) == (Status.CANCELLED, None)
    assert row.error_message == f"Not run: path_info was not answered, it is {status.value}."


@pytest.mark.parametrize(
    ("condition", "code", "said"),
    [
        (Condition("write_file", {"path": "a", "content": ""}), "permission_denied", "may only look"),
        (Condition("rm_rf"), "unknown_tool", "does not offer"),
        (Condition("path_info", {}), "invalid_arguments", "precondition"),
        (Condition("path_info", {"path": "/etc/orion"}), "path_not_allowed", "outside the allowed"),
    ],
)
def test_a_precondition_that_may_not_be_asked_denies_the_order(
    session: Session, laptop: Device, condition: Condition, code: str, said: str
) -> None:
    row = submit(session, condition)

    assert row.status == Status.DENIED
    assert (row.error or {})["code"] == code
    assert said in (row.error_message or "")
    assert queued(session) == []


def test_a_precondition_that_needs_a_person_denies_the_order(session: Session) -> None:
    devices.add(session, a_place("safe", policy=PolicyProfile.MANAGE), actor=ADMIN, now=NOON)
    look = a_tool("look", risk="critical", annotations={"readOnlyHint": True})
    plain = a_tool("blink", risk="low")
    devices.store_profile(session, "safe", a_profile("safe", tools=[look, plain]), now=NOON)
    devices.store_presence(session, "safe", a_presence(), now=NOON)

    request = a_request("blink", device_id="safe", condition=Condition("look"))
    row = commands.submit(session, request, actor=ADMIN, now=NOON)

    assert row.status == Status.DENIED
    assert "without a question" in (row.error_message or "")


def test_a_precondition_carries_no_secret(session: Session) -> None:
    schema = {"type": "object", "properties": {"pin": {"type": "string", "writeOnly": True}}}
    devices.add(session, a_place("safe"), actor=ADMIN, now=NOON)
    look = a_tool("is_open", risk="low", parameters=schema, annotations={"readOnlyHint": True})
    devices.store_profile(session, "safe", a_profile("safe", tools=[look, a_tool(risk="low")]), now=NOON)
    devices.store_presence(session, "safe", a_presence(), now=NOON)

    request = a_request("pump_start", device_id="safe", condition=Condition("is_open", {"pin": "1234"}))
    row = commands.submit(session, request, actor=ADMIN, now=NOON)
    session.flush()

    assert row.status == Status.DENIED
    assert "1234" not in str(session.exec(select(ToolExecution)).all())


def test_after_an_approval_the_device_is_asked_and_not_before(session: Session, laptop: Device) -> None:
    row = commands.submit(
        session,
        a_request("delete_path", arguments={"path": "B"}, condition=EXISTS),
        actor=OPERATOR,
        now=NOON,
    )
    assert (row.status, conditions.checked_by(row)) == (Status.AWAITING_APPROVAL, None)

    approve(session, row, at=300)
    answer(session, row, at=301, exists=True)

    assert row.released_at == later(301)


def approve(session: Session, row: ToolExecution, *, at: float) -> None:
    from_card = row.approval_id or ""
    approvals.decide(session, from_card, approve=True, actor=ADMIN, now=later(at))


def test_a_device_that_goes_while_it_is_asked_is_waited_for_and_asked_anew(
    session: Session, laptop: Device
) -> None:
    row = submit(session, when_online=True, valid_s=600.0)
    first = question(session, row)
    devices.store_presence(session, "laptop", a_presence("offline"), now=later(1))

    settling.expire(session, now=first.expires_at + (later(200) - NOON))
    assert (row.status, row.follows) == (Status.WAITING, None)
    devices.store_presence(session, "laptop", a_presence(at=later(300)), now=later(300))
    settling.device_came(session, "laptop", now=later(300))
    second = question(session, row)
    settling.settle(session, "laptop", a_reply(first.id, result={"exists": True}), now=later(301))

    assert second.id != first.id
    assert row.released_at is None  # an earlier answer lets nothing leave
    answer(session, row, at=302, exists=True)
    assert row.released_at == later(302)


def test_an_answer_that_comes_when_the_device_has_gone_lets_nothing_leave(
    session: Session, laptop: Device
) -> None:
    row = submit(session)
    devices.store_presence(session, "laptop", a_presence("offline"), now=later(1))

    answer(session, row, exists=True)

    assert (row.status, (row.error or {})["code"]) == (Status.EXPIRED, "device_offline")


def test_a_rule_that_changed_while_the_device_was_asked_holds(session: Session, laptop: Device) -> None:
    row = submit(session)
    change = devices.PolicyChange(policy=PolicyProfile.OBSERVE)
    devices.change(session, "laptop", change, actor=ADMIN, now=later(1))

    answer(session, row, exists=True)

    assert (row.status, row.released_at) == (Status.DENIED, None)


def test_a_look_that_is_none_any_more_is_not_asked(session: Session, laptop: Device) -> None:
    devices.store_presence(session, "laptop", a_presence("offline"), now=NOON)
    row = submit(session, when_online=True, valid_s=600.0)
    offered = [each for each in (devices.profile_of(laptop) or a_profile()).tools if each.name != "path_info"]
    devices.store_profile(
        session,
        "laptop",
        a_profile(tools=[*offered, a_tool("path_info", risk="low")], at=later(1)),
        now=later(1),
    )
    devices.adopt(session, "laptop", actor=ADMIN, now=later(2))

    devices.store_presence(session, "laptop", a_presence(at=later(3)), now=later(3))
    settling.device_came(session, "laptop", now=later(3))

    assert (row.status, row.error_message) == (
        Status.DENIED,
        "A precondition may only look, and path_info changes something.",
    )
    assert queued(session) == []


def test_an_order_expires_while_its_question_is_out(session: Session, laptop: Device) -> None:
    row = submit(session, valid_s=20.0)

    assert not settling.due(session, now=later(19))
    settling.expire(session, now=later(20))
    assert (row.status, (row.error or {})["code"]) == (Status.EXPIRED, "expired")

    answer(session, row, at=21, exists=True)
    assert (row.status, row.released_at) == (Status.EXPIRED, None)


def test_a_question_runs_no_longer_than_the_order_may_wait(session: Session, laptop: Device) -> None:
    asking = question(session, submit(session, valid_s=20.0))

    assert (asking.valid_s, asking.timeout_s, asking.expires_at) == (20.0, 20.0, later(20))


def test_an_answer_at_the_last_moment_is_too_late(session: Session, laptop: Device) -> None:
    row = submit(session, valid_s=20.0)

    answer(session, row, at=20, exists=True)

    assert (row.status, row.released_at) == (Status.EXPIRED, None)


def test_cancelled_while_its_device_is_asked_it_never_leaves(session: Session, laptop: Device) -> None:
    row = submit(session)

    commands.cancel(session, row.id, actor=ADMIN, now=later(1))
    answer(session, row, at=2, exists=True)

    assert (row.status, row.released_at) == (Status.CANCELLED, None)


def test_online_means_now(session: Session, laptop: Device) -> None:
    there = submit(session, ONLINE)
    assert there.released_at == NOON
    devices.store_presence(session, "laptop", a_presence("offline"), now=later(1))

    away = submit(session, ONLINE)

    assert (away.status, (away.error or {})["code"]) == (Status.EXPIRED, "device_offline")
    assert settling.judge_again(session, there.id, now=later(1)) is False
    assert (there.status, (there.error or {})["code"]) == (Status.EXPIRED, "device_offline")


def test_a_step_of_a_plan_asks_when_its_turn_comes(session: Session, laptop: Device) -> None:
    plan = [a_request(), a_request(arguments={"path": "B"}, condition=EXISTS)]
    first, second = commands.submit_plan(session, plan, actor=ADMIN, now=NOON)
    assert conditions.checked_by(second) is None

    settling.settle(session, "laptop", a_reply(first.id), now=later(1))
    answer(session, second, at=2, exists=True)

    assert second.released_at == later(2)
