"""What people say by MQTT, and what is said to them."""

import json
from typing import Any

from sqlmodel import Session, select

from controller.services import approvals, commands, mqtt_inputs
from controller.store.house import HouseRules
from controller.store.tables import ApprovalRow, MqttResponse
from schemas.assistant import Decision
from schemas.devices import Risk
from tests.factories import NOON, OPERATOR, a_request, later

CREATE, DELETE = a_request(), a_request("delete_path", arguments={"path": "Test"})


def rule(session: Session, *, cap: Risk = Risk.LOW, decisions: bool = False) -> None:
    session.info.update(HouseRules(mqtt_max_risk=cap, mqtt_decisions=decisions).known_in())


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
