"""Asking a person: a card bound to the exact commands, decided once, expiring."""

import hashlib
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from controller.errors import AlreadyDecided, Refused, UnknownApproval
from controller.services import arguments, audit, cards, conditions, pages, settling
from controller.services.actors import FORGEABLE, Actor, Role
from controller.services.cards import ApprovalStatus
from controller.services.orders import Status
from controller.services.pages import Order, Page
from controller.services.requests import lasts_until
from controller.services.sight import Sight
from controller.store import house, notices
from controller.store.tables import ApprovalRow, ToolExecution
from schemas.devices import Risk
from schemas.errors import ErrorBody, ErrorCode
from schemas.ids import new_id
from schemas.wire import JsonObject

VALID_FOR = timedelta(minutes=15)
MAX_SHOWN = 80  # characters of one argument on a card

_ORDER = Order.of("approvals", "approvals", "id")


def ask(
    session: Session,
    rows: list[ToolExecution],
    *,
    actor: Actor,
    now: datetime,
    said: str | None = None,
    reasons: list[str] | None = None,
) -> ApprovalRow:
    """Open one card for these commands and bind them to it; what it says can be given."""
    commands: list[JsonObject] = [
        {"device_id": row.device_id, "tool": row.tool_name, "arguments": row.parameters} for row in rows
    ]
    risk = max((Risk(row.risk) for row in rows), key=lambda each: each.rank)
    card = ApprovalRow(
        id=new_id(),
        hash=hashlib.sha256(arguments.canonical(commands)).hexdigest(),
        summary=said or "; then ".join(summary(row) for row in rows),
        risk=risk.value,
        reasons=reasons or list(dict.fromkeys(reason for row in rows for reason in row.reasons)),
        commands=commands,
        requested_by=actor.user,
        session_id=rows[0].session_id,
        status=ApprovalStatus.PENDING.value,
        created_at=now,
        expires_at=now + VALID_FOR,
    )
    session.add(card)
    for row in rows:
        row.approval_id, row.expires_at = card.id, card.expires_at
        if row.when_online:
            row.expires_at = min(card.expires_at, lasts_until(row))
    audit.record(session, "approval.asked", now=now, actor=actor, approval_id=card.id)
    notices.announce(session, notices.ApprovalChanged(card))
    return card


def summary(row: ToolExecution, *, where: str | None = None) -> str:
    """One call in words made by code, from its exact arguments."""
    said = f"{row.tool_name} on {where or row.device_id}" + _words(row.parameters)
    condition = conditions.of(row)
    if condition is None:
        return said
    if condition.tool is None:
        return f"{said}, only while it is online"
    answer = f"{condition.field} = true" if condition.field else "yes"
    return f"{said}, only if {condition.tool}{_words(condition.arguments)} says {answer}"


def _words(given: JsonObject) -> str:
    words = ", ".join(f"{name}={_short(value)}" for name, value in given.items())
    return f": {words}" if words else ""


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(text)} characters)"


def get(session: Session, approval_id: str, *, sight: Sight | None = None) -> ApprovalRow:
    """One card, as far as somebody sees it; None: the controller itself looks.

    Raises:
        UnknownApproval: it was never asked, or they do not see it.
    """
    card = session.get(ApprovalRow, approval_id)
    if card is None or (sight is not None and not sight.card(card)):
        raise UnknownApproval(approval_id)
    return card


def listed(
    session: Session,
    *,
    status: ApprovalStatus | None = None,
    limit: int = 100,
    cursor: str | None = None,
    sight: Sight | None = None,
) -> Page[ApprovalRow]:
    """Cards, newest first; of what somebody sees, or all for the controller itself.

    Raises:
        InvalidCursor: it is none of this list.
    """
    query = select(ApprovalRow)
    if sight is not None:
        query = query.where(sight.of_cards())
    if status is not None:
        query = query.where(ApprovalRow.status == status.value)
    return pages.page(session, query, _ORDER, limit=limit, cursor=cursor)


def pending(session: Session) -> list[ApprovalRow]:
    """Every question that is open, however many there are."""
    return list(session.exec(select(ApprovalRow).where(ApprovalRow.status == ApprovalStatus.PENDING.value)))


def plan_of(session: Session, approval_id: str) -> list[ToolExecution]:
    """The commands of the plan that a card was about, those it did not have to decide included.

    An order to a group stands for all of its devices' own.
    """
    plan = select(ToolExecution.plan_id).where(ToolExecution.approval_id == approval_id)
    query = select(ToolExecution).where(
        col(ToolExecution.plan_id).in_(plan), col(ToolExecution.parent_id).is_(None)
    )
    return list(session.exec(query.order_by(col(ToolExecution.id))))


def decide(
    session: Session,
    approval_id: str,
    *,
    approve: bool,
    actor: Actor,
    now: datetime,
    shown_hash: str | None = None,
    comment: str | None = None,
) -> ApprovalRow:
    """Take a person's decision, once; an approved command is checked again before it leaves.

    Raises:
        UnknownApproval: it was never asked.
        AlreadyDecided: it is decided, expired or cancelled.
        Refused: this actor may not decide it, or was shown another card.
    """
    by_mqtt = actor.via in FORGEABLE
    if by_mqtt and not house.of(session).mqtt_decisions:
        raise Refused("Approvals are not decided by MQTT here; an admin may allow it with mqtt_decisions.")
    if actor.role is not Role.ADMIN:
        raise Refused("Only an admin decides approvals.")
    card = get(session, approval_id, sight=Sight(session, actor))
    if actor.key is not None and card.requested_by == actor.user:
        raise Refused(
            f"An API key does not decide what its own user asked for: {actor.user} does, signed in."
        )
    if card.status == ApprovalStatus.PENDING and card.expires_at <= now:
        raise AlreadyDecided(approval_id, ApprovalStatus.EXPIRED.value)
    if card.status != ApprovalStatus.PENDING:
        raise AlreadyDecided(approval_id, card.status)
    if shown_hash is not None and shown_hash != card.hash:
        raise Refused("The decision was made about another card.")
    if by_mqtt and (refusal := _too_much_for_mqtt(session, card, approve=approve)) is not None:
        raise Refused(refusal)
    outcome = ApprovalStatus.APPROVED if approve else ApprovalStatus.DENIED
    cards.close(session, card, outcome, now=now, actor=actor, comment=comment)
    rows = cards.waiting(session, card)
    if approve:
        for row in rows:
            settling.release(session, row, now=now)
    else:
        message = f"{actor.user} said no." + (f" {comment}" if comment else "")
        _end(session, rows, Status.DENIED, ErrorCode.APPROVAL_DENIED, message, now=now)
    return card


def _too_much_for_mqtt(session: Session, card: ApprovalRow, *, approve: bool) -> str | None:
    """Why this card is not decided by words that can be forged; None if it may be.

    What counts is all that would move: a yes also lets later steps of the plan go that needed none.
    """
    plan = select(ToolExecution.plan_id).where(ToolExecution.approval_id == card.id)
    query = select(ToolExecution.risk).where(col(ToolExecution.plan_id).in_(plan)).distinct()
    risk = max((Risk(each) for each in (card.risk, *session.exec(query))), key=lambda each: each.rank)
    at_most = house.of(session).mqtt_max_risk
    if risk is Risk.CRITICAL:
        return "What is of critical risk is never decided by MQTT."
    if approve and risk.rank > at_most.rank:
        return (
            f"A yes by MQTT may cause {at_most.value} risk at most, and this is {risk.value}; "
            "an admin may raise mqtt_max_risk."
        )
    return None


def _end(
    session: Session,
    rows: list[ToolExecution],
    status: Status,
    code: ErrorCode,
    message: str,
    *,
    now: datetime,
) -> None:
    """Finish what waited; the last step first, so that each gets this reason and not its predecessor's end."""
    for row in reversed(rows):
        settling.finish(session, row, status, now=now, error=ErrorBody(code=code, message=message))


def due(session: Session, *, now: datetime) -> bool:
    """Whether `expire` has anything to do; asked beside the writer."""
    return bool(_overdue(session, now))


def expire(session: Session, *, now: datetime) -> None:
    """Close the cards that nobody answered, and what waited for them."""
    for card in _overdue(session, now):
        cards.close(session, card, ApprovalStatus.EXPIRED, now=now)
        rows = cards.waiting(session, card)
        message = "Nobody decided in time."
        _end(session, rows, Status.EXPIRED, ErrorCode.APPROVAL_EXPIRED, message, now=now)


def _overdue(session: Session, now: datetime) -> list[ApprovalRow]:
    query = select(ApprovalRow).where(
        ApprovalRow.status == ApprovalStatus.PENDING.value, col(ApprovalRow.expires_at) <= now
    )
    return list(session.exec(query))
