"""A decision by MQTT counts as far as an admin allows, from an admin, and once."""

import pytest
from sqlmodel import Session, select

from controller.errors import UnknownUser
from controller.services import approvals, audit, commands, mqtt_inputs
from controller.services.cards import ApprovalStatus
from controller.services.orders import Status
from controller.services.policy import PolicyProfile
from controller.store.tables import Device, MqttInput
from schemas import context, traces
from schemas.assistant import Request
from schemas.devices import Risk
from tests.controller.services.mqtt_inputs.inputs import DELETE, a_decision, card_of, decide, rule, said
from tests.factories import ADMIN, NOON, a_request

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


def test_what_somebody_else_ordered_under_the_same_trace_is_no_part_of_the_plan(
    session: Session, laptop: Device
) -> None:
    laptop.policy = PolicyProfile.MANAGE.value
    doubtful = a_request(doubts=("a typo was mended",))  # low, and asked about
    with context.about(traces.begun()):
        card = card_of(session, doubtful)
        card_of(session, DELETE)
    rule(session, cap=Risk.LOW, decisions=True)

    assert decide(session, a_decision(card))["status"] == "approved"
    assert len(approvals.plan_of(session, card.id)) == 1


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
