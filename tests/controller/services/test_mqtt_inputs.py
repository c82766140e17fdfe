"""What people say by MQTT is taken once, and every answer has its numbers and one end."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from controller.errors import AlreadyExists, Refused, UnknownUser
from controller.services import approvals, audit, commands, mqtt_inputs, users
from controller.services.actors import Role
from controller.services.cards import ApprovalStatus
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.services.users import UserRole
from controller.store import notices
from controller.store.house import HouseRules
from controller.store.notices import RequestTaken
from controller.store.tables import ApprovalRow, Device, MqttInput, MqttResponse
from schemas.assistant import Decision, Request, Response
from schemas.devices import Risk
from schemas.wire import MAX_PAYLOAD
from tests.factories import ADMIN, NOON, OPERATOR, a_request, later

CREATE, DELETE = a_request(), a_request("delete_path", arguments={"path": "Test"})


def rule(session: Session, *, cap: Risk = Risk.LOW, decisions: bool = False) -> None:
    session.info.update(HouseRules(mqtt_max_risk=cap, mqtt_decisions=decisions).known_in())


@pytest.fixture(autouse=True)
def people(session: Session, laptop: Device) -> None:
    """One of each role."""
    for role in UserRole:
        users.add(session, f"the.{role.value}", role, actor=ADMIN, now=NOON)
    session.flush()


def a_decision(card: ApprovalRow, **fields: Any) -> Decision:
    values = {
        "id": "d1",
        "approval_id": card.id,
        "approval_hash": card.hash,
        "decision": "approve",
        "at": NOON,
    }
    return Decision.model_validate(values | fields)


def said(session: Session, username: str = "the.admin") -> list[dict[str, Any]]:
    """What was said to somebody, in order."""
    rows = session.exec(select(MqttResponse).where(MqttResponse.username == username))
    return [json.loads(row.payload) for row in sorted(rows, key=lambda row: row.number or 0)]


def card_of(session: Session, *requests: commands.CommandRequest) -> ApprovalRow:
    rows = commands.submit_plan(session, requests, actor=OPERATOR, now=NOON)
    session.flush()
    found = next(row.approval_id for row in rows if row.approval_id)
    return approvals.get(session, found)


def decide(session: Session, decision: Decision, *, by: str = "the.admin", **more: Any) -> dict[str, Any]:
    mqtt_inputs.decide(session, by, decision, now=later(5), **more)
    session.flush()
    return said(session, by)[-1]


# risk of the card, cap → whether a yes and whether a no by MQTT counts
TABLE = [
    (Risk.LOW, Risk.LOW, True, True),
    (Risk.LOW, Risk.HIGH, True, True),
    (Risk.MEDIUM, Risk.LOW, False, True),
    (Risk.MEDIUM, Risk.MEDIUM, True, True),
    (Risk.HIGH, Risk.LOW, False, True),
    (Risk.HIGH, Risk.MEDIUM, False, True),
    (Risk.HIGH, Risk.HIGH, True, True),
    (Risk.CRITICAL, Risk.LOW, False, False),
    (Risk.CRITICAL, Risk.HIGH, False, False),
]


@pytest.mark.parametrize(("risk", "cap", "yes", "no"), TABLE)
@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_a_decision_by_mqtt_counts_up_to_the_cap_and_never_for_what_is_critical(
    session: Session, laptop: Device, risk: Risk, cap: Risk, yes: bool, no: bool, decision: str
) -> None:
    card = card_of(session, DELETE)
    card.risk = risk.value
    for row in commands.listed(session):
        row.risk = risk.value
    rule(session, cap=cap, decisions=True)

    result = decide(session, a_decision(card, decision=decision))

    counts = yes if decision == "approve" else no
    assert (card.status == ApprovalStatus.PENDING) is not counts
    assert ("error" in result) is not counts
    if not counts:
        assert (result["status"], result["error"]["code"]) == ("refused", "permission_denied")


def test_decisions_by_mqtt_are_off_unless_an_admin_allows_them(session: Session) -> None:
    card = card_of(session, DELETE)
    rule(session, cap=Risk.HIGH)

    known = decide(session, a_decision(card))
    unknown = decide(session, a_decision(card, id="d2", approval_id="none"))

    assert known["error"] == unknown["error"]  # nobody learns which cards there are
    assert "mqtt_decisions" in known["error"]["message"]
    assert card.status == ApprovalStatus.PENDING


@pytest.mark.parametrize("by", ["the.viewer", "the.operator"])
def test_only_an_admin_decides_and_others_learn_nothing(session: Session, by: str) -> None:
    card = card_of(session, DELETE)
    rule(session, cap=Risk.HIGH, decisions=True)

    known = decide(session, a_decision(card), by=by)
    unknown = decide(session, a_decision(card, id="d2", approval_id="none"), by=by)

    assert known["error"] == unknown["error"]
    assert card.status == ApprovalStatus.PENDING


def test_a_decision_about_another_card_does_not_count(session: Session) -> None:
    card = card_of(session, DELETE)
    rule(session, cap=Risk.HIGH, decisions=True)

    result = decide(session, a_decision(card, approval_hash="0" * 64))

    assert result["error"]["code"] == "permission_denied"
    assert card.status == ApprovalStatus.PENDING


def test_a_card_is_decided_once_and_a_repeated_decision_is_not_heard_again(session: Session) -> None:
    card = card_of(session, DELETE)
    rule(session, cap=Risk.HIGH, decisions=True)

    first = decide(session, a_decision(card))
    decide(session, a_decision(card))
    second = decide(session, a_decision(card, id="d2", decision="deny"))

    assert (first["status"], first.get("error")) == ("approved", None)
    assert (second["status"], second["error"]["code"]) == ("approved", "conflict")
    assert [each["request_id"] for each in said(session)] == ["d1", "d2"]
    assert card.decided_by == "the.admin"


def test_a_card_that_nobody_asked_for_is_not_found(session: Session) -> None:
    rule(session, decisions=True)

    result = decide(session, a_decision(card_of(session, DELETE), approval_id="none"))

    assert (result["status"], result["error"]["code"]) == ("unknown", "not_found")


def test_a_yes_counts_for_all_that_it_lets_go_not_only_for_what_was_asked(
    session: Session, laptop: Device
) -> None:
    laptop.policy = PolicyProfile.MANAGE.value
    doubtful = a_request(doubts=("a typo was mended",))  # low, and asked about
    rows = commands.submit_plan(session, [doubtful, DELETE], actor=ADMIN, now=NOON)
    session.flush()
    assert [row.status for row in rows] == [Status.AWAITING_APPROVAL, Status.QUEUED]
    card = approvals.get(session, rows[0].approval_id or "")
    assert card.risk == Risk.LOW
    rule(session, cap=Risk.LOW, decisions=True)

    result = decide(session, a_decision(card))

    assert result["error"]["code"] == "permission_denied"
    assert card.status == ApprovalStatus.PENDING


def test_a_refused_decision_is_audited(session: Session) -> None:
    decide(session, a_decision(card_of(session, DELETE)))

    (entry,) = audit.entries(session, action="approval.refused")
    assert (entry.actor, entry.via) == ("the.admin", "mqtt")


def test_who_is_unknown_or_only_a_program_is_not_heard(session: Session) -> None:
    for name in ("nobody", "the.home_assistant"):
        with pytest.raises(UnknownUser):
            mqtt_inputs.take_request(session, name, Request(id="r1", text="hi", at=NOON), now=NOON)
        with pytest.raises(UnknownUser):
            mqtt_inputs.decide(session, name, a_decision(card_of(session, DELETE)), now=NOON)

    assert session.exec(select(MqttInput)).all() == []


def taken(session: Session) -> list[RequestTaken]:
    return [each for each in notices.of(session) if isinstance(each, RequestTaken)]


def test_a_request_waits_for_its_turn_once(session: Session) -> None:
    request = Request(id="r1", text="hi", at=NOON)
    for _ in range(2):
        mqtt_inputs.take_request(session, "the.operator", request, now=later(1))

    assert taken(session) == [RequestTaken("the.operator", Role.OPERATOR.value, request)]


@pytest.mark.parametrize(
    ("at", "expires_at", "now", "good"),
    [
        (0, None, 59, True),
        (0, None, 60, False),
        (0, 5, 6, False),
        (0, 3600, 3599, True),
        (60, None, 0, True),
        (61, None, 0, False),
        (61, 3600, 0, False),
        (0, 400_000, 86_399, True),
        (0, 400_000, 86_400, False),
    ],
)
def test_our_clock_says_whether_a_request_is_meant_for_now(
    session: Session, at: float, expires_at: float | None, now: float, good: bool
) -> None:
    ends = None if expires_at is None else later(expires_at)
    request = Request(id="r1", text="hi", at=later(at), expires_at=ends)

    mqtt_inputs.take_request(session, "the.operator", request, now=later(now))
    session.flush()

    assert bool(taken(session)) is good
    assert [each["error"]["code"] for each in said(session, "the.operator")] == ([] if good else ["expired"])


def test_too_fast_is_answered_and_never_done(session: Session) -> None:
    request = Request(id="r1", text="hi", at=NOON)
    card = card_of(session, DELETE)
    rule(session, cap=Risk.HIGH, decisions=True)

    mqtt_inputs.take_request(session, "the.admin", request, now=NOON, too_fast=True)
    mqtt_inputs.take_request(session, "the.admin", request, now=NOON)
    decide(session, a_decision(card), too_fast=True)

    assert taken(session) == []
    assert [each["error"]["code"] for each in said(session)] == ["rate_limited", "rate_limited"]
    assert card.status == ApprovalStatus.PENDING


def test_answers_are_numbered_without_holes_and_end_once(session: Session) -> None:
    mqtt_inputs.take_request(session, "the.admin", Request(id="r1", text="hi", at=NOON), now=NOON)
    for kind in ("tool_call", "chunk", "final", "chunk", "error"):
        response = Response.model_validate({"request_id": "r1", "seq": 7, "type": kind, "at": NOON})
        mqtt_inputs.say(session, "the.admin", response, now=NOON)
    session.flush()

    assert [(each["seq"], each["type"]) for each in said(session)] == [
        (0, "tool_call"),
        (1, "chunk"),
        (2, "final"),
    ]


def test_what_an_earlier_life_left_open_is_interrupted_once(session: Session) -> None:
    mqtt_inputs.take_request(session, "the.admin", Request(id="r1", text="hi", at=NOON), now=NOON)
    begun = Response(request_id="r1", seq=0, type="tool_call", at=NOON)
    mqtt_inputs.say(session, "the.admin", begun, now=NOON)

    assert mqtt_inputs.interrupt(session, now=later(9)) == 1
    session.flush()
    assert mqtt_inputs.interrupt(session, now=later(9)) == 0

    assert [(each["seq"], each["type"]) for each in said(session)] == [(0, "tool_call"), (1, "error")]
    assert said(session)[1]["error"]["code"] == "interrupted"


def test_a_response_that_no_message_can_hold_says_so(session: Session) -> None:
    mqtt_inputs.take_request(session, "the.admin", Request(id="r1", text="hi", at=NOON), now=NOON)
    long = "é" * MAX_PAYLOAD
    for kind, fields in (("tool_result", {"result": {"text": long}}), ("final", {"text": long})):
        values = {"request_id": "r1", "seq": 0, "type": kind, "at": NOON}
        mqtt_inputs.say(session, "the.admin", Response.model_validate(values | fields), now=NOON)
    session.flush()

    rows = session.exec(select(MqttResponse)).all()
    assert all(len(row.payload.encode()) <= MAX_PAYLOAD for row in rows)
    assert [each["error"]["code"] for each in said(session)] == ["payload_too_large"] * 2


def test_an_id_is_kept_until_its_request_would_be_too_old(session: Session) -> None:
    mqtt_inputs.take_request(
        session, "the.admin", Request(id="r1", text="hi", at=later(60), expires_at=later(1e6)), now=NOON
    )
    mqtt_inputs.interrupt(session, now=NOON)
    session.flush()
    repeated = Request(id="r1", text="hi", at=later(60), expires_at=later(1e6))

    mqtt_inputs.forget(session, now=NOON + mqtt_inputs.KEPT)
    assert session.get(MqttInput, ("the.admin", "r1")) is not None
    mqtt_inputs.forget(session, now=NOON + mqtt_inputs.KEPT + timedelta(seconds=1))
    session.flush()

    assert session.get(MqttInput, ("the.admin", "r1")) is None
    assert mqtt_inputs.untimely(repeated, NOON + mqtt_inputs.KEPT) is not None


@pytest.mark.parametrize(
    "name", ["admin", "Admin", "system", "controller-main", "join-x", "debug.user", "probe.health"]
)
def test_a_name_that_is_kept_is_given_to_nobody(session: Session, name: str) -> None:
    with pytest.raises(Refused):
        users.add(session, name, UserRole.VIEWER, actor=ADMIN, now=NOON)


@pytest.mark.parametrize("name", ["laptop", "the.viewer"])
def test_a_name_is_given_once(session: Session, name: str) -> None:
    with pytest.raises(AlreadyExists):
        users.add(session, name, UserRole.VIEWER, actor=ADMIN, now=NOON)


def test_what_is_done_to_users_is_audited(session: Session) -> None:
    users.change_role(session, "the.viewer", UserRole.OPERATOR, actor=ADMIN, now=NOON)
    users.note_rotation(session, "the.viewer", actor=ADMIN, now=NOON)
    users.remove(session, "the.viewer", actor=ADMIN, now=NOON)
    session.flush()

    actions = [entry.action for entry in audit.entries(session, action="user", limit=3)]
    assert actions == ["user.removed", "user.rotated", "user.role_changed"]
    assert [row.username for row in users.listed(session)] == [
        "the.admin",
        "the.home_assistant",
        "the.operator",
    ]
    with pytest.raises(UnknownUser):
        users.get(session, "the.viewer")
