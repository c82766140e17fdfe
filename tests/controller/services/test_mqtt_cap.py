"""What people say by MQTT may cause `mqtt_max_risk` at most: when it is asked, and again when it leaves."""

import pytest
from sqlmodel import Session

from controller.assistant import answers
from controller.errors import UnknownSession
from controller.services import (
    approvals,
    commands,
    conversations,
    devices,
    permissions,
    rollouts,
    settling,
    users,
)
from controller.services.actors import FORGEABLE, Actor, Role, assisted, through
from controller.services.conditions import Condition
from controller.services.orders import Status
from controller.services.permissions import Proposal
from controller.services.policy import PolicyProfile, Verdict
from controller.services.settling import Departure
from controller.services.users import UserRole
from controller.store.house import HouseRules
from controller.store.tables import Device, User
from schemas.commands import Via
from schemas.devices import Risk
from schemas.errors import ErrorCode
from tests.controller.services.judging import one_tool
from tests.factories import ADMIN, NOON, a_presence, a_request, a_tool, later

BY_MQTT = Actor("mia", Role.ADMIN, Via.MQTT)
CAPS = [Risk.LOW, Risk.MEDIUM, Risk.HIGH]
MEDIUM = a_request("read_file", arguments={"path": "a.txt"})
HIGH = a_request("delete_path", arguments={"path": "Test"})


def rule(session: Session, cap: Risk) -> None:
    """The controller is started with another setting."""
    session.info.update(HouseRules(mqtt_max_risk=cap).known_in())


@pytest.fixture(autouse=True)
def mia(session: Session) -> User:
    """Who asks by MQTT."""
    return users.add(session, "mia", UserRole.ADMIN, actor=ADMIN, now=NOON)


@pytest.fixture
def managed(session: Session, laptop: Device) -> Device:
    """A device whose policy leaves the decision to the other layers."""
    laptop.policy = PolicyProfile.MANAGE.value
    return laptop


@pytest.mark.parametrize("via", list(Via))
@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("risk", list(Risk))
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("changing", [False, True])
def test_the_cap_denies_what_is_above_it_and_loosens_nothing(
    via: Via, cap: Risk, risk: Risk, role: Role, changing: bool
) -> None:
    tool = a_tool(risk=risk, annotations={"readOnlyHint": not changing})
    target = one_tool(tool, policy=PolicyProfile.MANAGE.value)
    trusted = permissions.decide(Actor("u", role, Via.API), target, Proposal(tool.name, {}))

    decision = permissions.decide(Actor("u", role, via), target, Proposal(tool.name, {}), mqtt_max_risk=cap)

    above = via in (Via.MQTT, Via.HOME_ASSISTANT) and risk.rank > cap.rank
    assert decision.verdict is (Verdict.DENY if above else trusted.verdict)
    if above and trusted.verdict is not Verdict.DENY:
        assert decision.code is ErrorCode.PERMISSION_DENIED
        assert "mqtt_max_risk" in decision.reasons[0]


def test_without_a_word_the_cap_is_low() -> None:
    tool = a_tool(risk=Risk.MEDIUM)

    decision = permissions.decide(BY_MQTT, one_tool(tool), Proposal(tool.name, {}))

    assert decision.verdict is Verdict.DENY


def test_what_would_be_asked_is_denied_and_opens_no_card(session: Session, managed: Device) -> None:
    managed.policy = PolicyProfile.ASSIST.value  # which asks about high risk

    row = commands.submit(session, HIGH, actor=BY_MQTT, now=NOON)

    assert (row.status, row.approval_id) == (Status.DENIED, None)
    assert (row.error or {})["code"] == ErrorCode.PERMISSION_DENIED
    assert "mqtt_max_risk" in row.reasons[0]
    assert approvals.pending(session) == []


def test_the_denial_is_said_in_dutch_and_english(session: Session, managed: Device) -> None:
    row = commands.submit(session, HIGH, actor=BY_MQTT, now=NOON)

    assert "mqtt_max_risk" in answers.receipt(row, "en")
    assert "Wat via MQTT binnenkomt mag zoveel niet" in answers.receipt(row, "nl")


def test_a_cap_that_was_lowered_holds_for_what_has_not_left(session: Session, managed: Device) -> None:
    rule(session, Risk.MEDIUM)
    row = commands.submit(session, MEDIUM, actor=BY_MQTT, now=NOON)
    assert row.released_at is not None

    rule(session, Risk.LOW)
    leaving = settling.depart(session, [Departure(row.id, 1, unsent=True)], now=NOON)

    assert leaving == []
    assert row.status == Status.DENIED


def test_a_cap_that_was_lowered_holds_for_what_waits_for_its_device(
    session: Session, managed: Device
) -> None:
    rule(session, Risk.MEDIUM)
    devices.store_presence(session, "laptop", a_presence("offline"), now=NOON)
    row = commands.submit(
        session,
        a_request("read_file", arguments={"path": "a.txt"}, when_online=True, valid_s=600.0),
        actor=BY_MQTT,
        now=NOON,
    )
    session.flush()
    assert row.status == Status.WAITING

    rule(session, Risk.LOW)
    devices.store_presence(session, "laptop", a_presence(boot_id="boot-1"), now=later(5))
    settling.device_came(session, "laptop", now=later(5))

    assert row.status == Status.DENIED


def test_a_cap_that_was_lowered_holds_for_what_a_person_says_yes_to(
    session: Session, managed: Device
) -> None:
    managed.policy = PolicyProfile.ASSIST.value
    rule(session, Risk.HIGH)
    row = commands.submit(session, HIGH, actor=BY_MQTT, now=NOON)
    session.flush()
    assert row.approval_id is not None

    rule(session, Risk.LOW)
    approvals.decide(session, row.approval_id, approve=True, actor=ADMIN, now=later(1))

    assert row.status == Status.DENIED


@pytest.mark.parametrize("how", ["removed", "disabled", "made less"])
@pytest.mark.parametrize("via", [Via.MQTT, Via.API, Via.ASSISTANT])
def test_who_is_not_let_in_any_more_takes_along_what_waits(
    session: Session, managed: Device, via: Via, how: str
) -> None:
    rule(session, Risk.HIGH)
    managed.policy = PolicyProfile.ASSIST.value
    row = commands.submit(session, HIGH, actor=through(BY_MQTT, via), now=NOON)
    session.flush()
    assert row.approval_id is not None

    match how:
        case "removed":
            users.remove(session, "mia", actor=ADMIN, now=later(1))
        case "disabled":
            users.disable(session, "mia", actor=ADMIN, now=later(1))
        case _:
            users.change_role(session, "mia", UserRole.VIEWER, actor=ADMIN, now=later(1))
    session.flush()
    approvals.decide(session, row.approval_id, approve=True, actor=ADMIN, now=later(2))

    assert row.status == Status.DENIED


def test_it_holds_for_each_step_of_a_plan_and_for_a_precondition(session: Session, managed: Device) -> None:
    plan = commands.submit_plan(session, [a_request(), HIGH], actor=BY_MQTT, now=NOON)
    reads = a_request(condition=Condition("read_file", {"path": "a.txt"}, "exists"))
    capped = commands.submit(session, reads, actor=BY_MQTT, now=NOON)
    rule(session, Risk.MEDIUM)
    allowed = commands.submit(session, reads, actor=BY_MQTT, now=NOON)

    assert [row.status for row in plan] == [Status.CANCELLED, Status.DENIED]
    assert (capped.decision, allowed.decision) == (Verdict.DENY, Verdict.ALLOW)


def test_it_holds_for_an_order_to_a_group(session: Session, managed: Device) -> None:
    managed.groups = ["all"]
    each = a_request("delete_path", device_id="", arguments={"path": "Test"})
    order = rollouts.GroupRequest("all", each, rollouts.Pace())
    session.flush()

    parent = rollouts.submit(session, order, actor=BY_MQTT, now=NOON)

    assert parent.decision == Verdict.DENY


def test_the_assistant_speaks_for_a_person_on_mqtt_as_that_door() -> None:
    for via in Via:
        borrowed = assisted(Actor("mia", Role.OPERATOR, via)).via
        assert borrowed is (via if via in FORGEABLE else Via.ASSISTANT)


@pytest.mark.parametrize(("begun", "continued"), [(Via.MQTT, Via.API), (Via.API, Via.MQTT)])
def test_a_conversation_stays_at_its_door(session: Session, begun: Via, continued: Via) -> None:
    row = conversations.begin(session, actor=Actor("mia", Role.ADMIN, begun), now=NOON)
    session.flush()
    conversations.keep_question(row, {"text": "which one?"})
    conversations.keep_question(row, None)

    assert conversations.get(session, row.id, actor=Actor("mia", Role.ADMIN, begun)) is row
    with pytest.raises(UnknownSession):
        conversations.get(session, row.id, actor=Actor("mia", Role.ADMIN, continued))
