"""A secret argument reaches its device and is shown and recorded nowhere."""

from sqlmodel import Session

from controller.services import approvals, audit, commands, devices, settling
from controller.services.orders import Status
from controller.store.tables import ApprovalRow, ToolExecution
from tests.factories import (
    ADMIN,
    NOON,
    OPERATOR,
    a_place,
    a_presence,
    a_profile,
    a_request,
    a_tool,
    later,
)


def submit(session: Session, *requests: commands.CommandRequest) -> list[ToolExecution]:
    rows = commands.submit_plan(session, requests, actor=OPERATOR, now=NOON)
    session.flush()
    return rows


def card_of(session: Session, row: ToolExecution) -> ApprovalRow:
    assert row.approval_id is not None
    return approvals.get(session, row.approval_id)


def decide(session: Session, card: ApprovalRow, *, approve: bool = True) -> ApprovalRow:
    return approvals.decide(session, card.id, approve=approve, actor=ADMIN, now=later(10))


def test_a_card_shows_no_secret_and_no_page_of_text(session: Session) -> None:
    schema = {
        "type": "object",
        "properties": {"pin": {"type": "string", "writeOnly": True}, "note": {"type": "string"}},
    }
    devices.add(session, a_place("safe"), actor=ADMIN, now=NOON)
    profile = a_profile("safe", tools=[a_tool("unlock", parameters=schema)])
    devices.store_profile(session, "safe", profile, now=NOON)
    devices.store_presence(session, "safe", a_presence(), now=NOON)
    arguments = {"pin": "s3cr3t", "note": "x" * 5_000}

    (row,) = submit(session, a_request("unlock", device_id="safe", arguments=arguments))
    card = card_of(session, row)

    assert "s3cr3t" not in f"{card.model_dump()} {row.reasons} {row.layers} {row.parameters}"
    assert len(card.summary) < 200
    assert "(5000 characters)" in card.summary
    decide(session, card)
    assert settling.parameters(row) == arguments


def test_a_secret_in_arguments_that_do_not_fit_is_not_recorded(session: Session) -> None:
    schema = {
        "type": "object",
        "properties": {"pin": {"type": "string", "writeOnly": True}},
        "additionalProperties": False,
    }
    devices.add(session, a_place("safe"), actor=ADMIN, now=NOON)
    tool = a_tool("unlock", parameters=schema, risk="low")
    devices.store_profile(session, "safe", a_profile("safe", tools=[tool]), now=NOON)
    devices.store_presence(session, "safe", a_presence(), now=NOON)

    (row,) = submit(session, a_request("unlock", device_id="safe", arguments={"pin": "s3cr3t", "x": 1}))

    assert row.status == Status.DENIED
    session.flush()
    kept = f"{row.model_dump()} {[entry.model_dump() for entry in audit.entries(session)]}"
    assert "s3cr3t" not in kept
