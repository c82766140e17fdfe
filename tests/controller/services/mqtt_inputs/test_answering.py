"""A request is taken once and in its time, and every answer has its numbers and one end."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from controller.services import mqtt_inputs
from controller.services.cards import ApprovalStatus
from controller.store import notices
from controller.store.notices import RequestTaken
from controller.store.tables import MqttInput, MqttResponse
from schemas.assistant import Request, Response
from schemas.devices import Risk
from schemas.wire import MAX_PAYLOAD
from tests.controller.services.mqtt_inputs.inputs import DELETE, a_decision, card_of, decide, rule, said
from tests.factories import NOON, later


def taken(session: Session) -> list[RequestTaken]:
    return [each for each in notices.of(session) if isinstance(each, RequestTaken)]


def test_a_request_waits_for_its_turn_once(session: Session) -> None:
    request = Request(id="r1", text="hi", at=NOON)
    for _ in range(2):
        mqtt_inputs.take_request(session, "the.operator", request, now=later(1))

    assert taken(session) == [RequestTaken("the.operator", request)]


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
