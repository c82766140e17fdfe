"""What holds now for a command that was decided earlier: the rules, and its person's yes."""

from datetime import datetime

from sqlmodel import Session

from controller.services import devices, names, permissions, standing, targets
from controller.services.actors import Actor, Role
from controller.services.cards import ApprovalStatus
from controller.services.permissions import Decision, Layer, Proposal
from controller.services.policy import Verdict
from controller.store import house
from controller.store.tables import ApprovalRow, ToolExecution
from schemas.commands import Via
from schemas.devices import Risk
from schemas.errors import ErrorBody, ErrorCode
from schemas.wire import JsonObject


def parameters(row: ToolExecution) -> JsonObject:
    """The arguments to execute, secrets included; only while the command is open."""
    return row.secret_parameters or row.parameters


def asker(row: ToolExecution) -> Actor:
    """Who asked for the command, with what they might do there then."""
    return Actor(row.requested_by, Role(row.role), Via(row.via))


def actor_of(session: Session, row: ToolExecution, *, now: datetime) -> Actor:
    """Whose rights the command carries, as they are now; a guest's where they or their key may come in no more."""
    then = asker(row)
    if then.via is not Via.MQTT and not names.is_users(session, then.user):
        return then  # the system, or somebody who was removed and has become a guest
    actor = standing.again(session, then.user, then.via, row.api_key_id, now=now)
    return actor or Actor(then.user, Role.GUEST, then.via)


def recheck(session: Session, row: ToolExecution, *, now: datetime) -> Decision:
    """The permission layers again, with what holds now; also for who asked."""
    actor = actor_of(session, row, now=now)
    if actor.role is Role.GUEST and not actor.grants:
        return _nobody(row)
    device = devices.find(session, row.device_id)
    target = targets.of(device) if device else targets.unknown(row.device_id)
    proposal = Proposal(row.tool_name, parameters(row), dry_run=row.dry_run)
    at_most = house.of(session).mqtt_max_risk
    return permissions.decide(actor, target, proposal, mqtt_max_risk=at_most)


def _nobody(row: ToolExecution) -> Decision:
    who = f"{row.requested_by}'s API key" if row.api_key_id else row.requested_by
    reason = f"{who} asked for this and is not let in any more."
    layer = Layer("user", Verdict.DENY, reason, ErrorCode.PERMISSION_DENIED)
    return Decision(Verdict.DENY, (layer,), parameters(row), Risk(row.risk))


def objection(session: Session, row: ToolExecution, *, now: datetime) -> ErrorBody | None:
    """Why a command may not leave now; None if it may."""
    decision = recheck(session, row, now=now)
    if decision.verdict is Verdict.DENY:
        return ErrorBody(code=decision.code, message=decision.reasons[0])
    if row.approval_id is None:
        if decision.verdict is Verdict.ASK or row.decision == Verdict.ASK:
            message = f"It was allowed when it was asked for, and is not any more: {decision.reasons[0]}"
            return ErrorBody(code=ErrorCode.PERMISSION_DENIED, message=message)
    elif not _was_approved(session, row):
        return ErrorBody(code=ErrorCode.APPROVAL_DENIED, message="No approval covers exactly this command.")
    return None


def _was_approved(session: Session, row: ToolExecution) -> bool:
    """Whether a person said yes to this very call."""
    card = session.get(ApprovalRow, row.approval_id)
    asked = {"device_id": row.device_id, "tool": row.tool_name, "arguments": row.parameters}
    return card is not None and card.status == ApprovalStatus.APPROVED and asked in card.commands
