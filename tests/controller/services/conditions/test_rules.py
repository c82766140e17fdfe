"""A question is asked if the rules allow it, and the rules of the moment hold when it is answered."""

import pytest
from sqlmodel import Session, select

from controller.services import approvals, commands, conditions, devices, settling
from controller.services.conditions import Condition
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.store.tables import Device, ToolExecution
from tests.controller.services.conditions.questions import EXISTS, answer, queued, submit
from tests.factories import ADMIN, NOON, OPERATOR, a_place, a_presence, a_profile, a_request, a_tool, later


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
