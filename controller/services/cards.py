"""The rows behind approvals: which commands wait for a card, and how a card is closed."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

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
    query = select(ToolExecution).where(
        ToolExecution.approval_id == card.id, ToolExecution.status == Status.AWAITING_APPROVAL.value
    )
    return list(session.exec(query.order_by(col(ToolExecution.id))))


def close(
    session: Session,
    card: ApprovalRow,
    status: ApprovalStatus,
    *,
    now: datetime,
    actor: Actor | None = None,
    comment: str | None = None,
) -> None:
    """End a card; what waits for it is moved on by the caller."""
    card.status, card.decided_at, card.comment = status.value, now, comment
    card.decided_by = actor.user if actor else None
    audit.record(session, f"approval.{status.value}", now=now, actor=actor, approval_id=card.id)
    notices.announce(session, notices.ApprovalChanged(card))


def close_if_idle(session: Session, approval_id: str, *, now: datetime) -> None:
    """Take a question back that no command waits for any more."""
    card = session.get(ApprovalRow, approval_id)
    if card is not None and card.status == ApprovalStatus.PENDING and not waiting(session, card):
        close(session, card, ApprovalStatus.CANCELLED, now=now)
