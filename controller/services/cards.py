"""The rows behind approvals: which commands wait for a card, and how a card is closed."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from controller.services import audit
from controller.services.actors import Actor
from controller.services.orders import Status
from controller.store import notices
from controller.store.tables import ApprovalRow, ToolExecution


class ApprovalStatus(StrEnum):
    """Where a card stands; all but the first are the end of it."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


def waiting(session: Session, card: ApprovalRow) -> list[ToolExecution]:
    """The commands that this card decides, in the order of their plan."""
    query = _awaiting(card).where(col(ToolExecution.group_name).is_(None))
    return list(session.exec(query.order_by(col(ToolExecution.id))))


def _awaiting(card: ApprovalRow) -> SelectOfScalar[ToolExecution]:
    return select(ToolExecution).where(
        ToolExecution.approval_id == card.id, ToolExecution.status == Status.AWAITING_APPROVAL.value
    )


def close(
    session: Session,
    card: ApprovalRow,
    status: ApprovalStatus,
    *,
    now: datetime,
    actor: Actor | None = None,
    comment: str | None = None,
) -> None:
    """End a card; what waits for it is moved on by the caller, but for a group's own row: it waits no more."""
    card.status, card.decided_at, card.comment = status.value, now, comment
    card.decided_by = actor.user if actor else None
    audit.record(session, f"approval.{status.value}", now=now, actor=actor, approval_id=card.id)
    notices.announce(session, notices.ApprovalChanged(card))
    for parent in session.exec(_awaiting(card).where(col(ToolExecution.group_name).is_not(None))):
        parent.status = Status.QUEUED.value
        notices.announce(session, notices.CommandChanged(parent, final=False))


def close_if_idle(session: Session, approval_id: str, *, now: datetime) -> None:
    """Take a question back that no command waits for any more."""
    card = session.get(ApprovalRow, approval_id)
    if card is None or card.status != ApprovalStatus.PENDING:
        return
    if session.exec(_awaiting(card).where(col(ToolExecution.group_name).is_(None)).limit(1)).first() is None:
        close(session, card, ApprovalStatus.CANCELLED, now=now)
