"""The way of an order to a group in: one row for the group, one for each of its devices.

Each device's own is judged by the same gate as if it came alone. If a person must be
asked about one, the whole group waits behind one card: a no means that nothing is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel import Session

from controller.errors import Conflict
from controller.services import approvals, arguments, audit, commands, settling, targets
from controller.services.actors import Actor
from controller.services.commands import CommandRequest, Origin
from controller.services.orders import Status
from controller.services.policy import Verdict
from controller.services.rollouts import members, progress
from controller.services.rollouts.pace import Pace
from controller.store.tables import Device, ToolExecution
from schemas import traces
from schemas.assistant import ApprovalCommand
from schemas.devices import Risk
from schemas.errors import ErrorBody
from schemas.ids import new_id
from schemas.wire import MAX_PAYLOAD, JsonObject

LASTS = timedelta(days=7)  # what has not had its turn by then does not leave any more
MAX_REASONS = 10  # that a group's row and card show
CARD_REST = 4 * 1024  # bytes of a card beside its commands, its summary and its reasons


@dataclass(frozen=True, slots=True)
class GroupRequest:
    """What somebody would like every device of a group to do. `order` names no device."""

    group: str
    order: CommandRequest
    pace: Pace


def submit(session: Session, request: GroupRequest, *, actor: Actor, now: datetime) -> ToolExecution:
    """Record the order and its devices' own, decide each, and let the first leave.

    Who belongs to the group is settled here: of its devices those that the actor sees. Refusals are outcomes, as for one device.

    Raises:
        UnknownGroup: no device is in it.
        Conflict: it has more devices than one order may go to, or than fit on one card.
    """
    found = members.of(session, request.group, actor=actor)
    origin = Origin.here()
    parent = _parent(request, found, actor=actor, now=now, origin=origin)
    children: list[ToolExecution] = []
    with session.no_autoflush:  # hundreds of rows leave in one statement, not one by one
        session.add(parent)
        origin = replace(origin, asked_in=traces.of_command(parent.trace_id, parent.id).span_id)
        for device in found:
            order = replace(request.order, device_id=device.device_id)
            child = commands.judge(session, order, device=device, actor=actor, now=now, origin=origin)
            child.parent_id, child.expires_at = parent.id, parent.expires_at
            children.append(child)
    _decide(session, parent, children, request.pace, actor=actor, now=now)
    audit.record(session, f"decision.{parent.decision}", now=now, actor=actor, command=parent)
    session.flush()
    progress.advance(session, parent.id, now=now)
    return parent


def _parent(
    request: GroupRequest, found: Sequence[Device], *, actor: Actor, now: datetime, origin: Origin
) -> ToolExecution:
    order = request.order
    lasts = timedelta(seconds=order.valid_s) if order.when_online else LASTS
    return ToolExecution(
        id=new_id(),
        session_id=order.session_id,
        device_id="",
        group_name=request.group,
        rollout=progress.recorded(request.pace),
        tool_name=order.tool,
        parameters=_shown(order, found),
        dry_run=order.dry_run,
        user_query=order.user_query,
        llm_reasoning=order.reasoning,
        requested_by=actor.user,
        role=actor.role.value,
        via=actor.via.value,
        api_key_id=actor.key.key_id if actor.key else None,
        trace_id=origin.trace_id,
        asked_in=origin.asked_in,
        plan_id=origin.plan_id,
        decision=Verdict.DENY.value,
        risk=Risk.LOW.value,
        when_online=order.when_online,
        condition=order.condition.to_json() if order.condition else None,
        status=Status.QUEUED.value,
        timeout_s=min(order.timeout_s or commands.TIMEOUT, commands.MAX_TIMEOUT),
        valid_s=order.valid_s,
        issued_at=now,
        expires_at=now + lasts,
    )


def _shown(order: CommandRequest, found: Sequence[Device]) -> JsonObject:
    """The arguments as they were asked for; what is a secret to one of the devices is one here."""
    shown = arguments.recordable(order.arguments)
    seen: set[str] = set()
    for device in found:
        offered = targets.of(device).tools.get(order.tool)
        if offered is not None and offered.hash not in seen:
            seen.add(offered.hash)
            shown = arguments.redacted(offered.tool.parameters, shown)
    return shown


def _decide(
    session: Session,
    parent: ToolExecution,
    children: list[ToolExecution],
    pace: Pace,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    verdicts = {Verdict(child.decision) for child in children}
    denied = [child for child in children if child.decision == Verdict.DENY]
    allowed = [child for child in children if child.decision != Verdict.DENY]
    asks = Verdict.ASK in verdicts and not pace.has_failed(len(denied))
    verdict = Verdict.ASK if Verdict.ASK in verdicts else min(verdicts, key=lambda each: each.rank)
    strictest = [child for child in children if child.decision == verdict]
    parent.decision, parent.reasons = verdict.value, _reasons(strictest)
    parent.risk = max((Risk(child.risk) for child in children), key=lambda each: each.rank).value
    for child in denied:
        error = ErrorBody(code=commands.code(child), message=child.reasons[0])
        settling.finish(session, child, Status.DENIED, now=now, error=error)
    if asks:
        _ask(session, parent, allowed, actor=actor, now=now)


def _reasons(children: Sequence[ToolExecution]) -> list[str]:
    distinct = list(dict.fromkeys(reason for child in children for reason in child.reasons))
    more = len(distinct) - MAX_REASONS
    return distinct[:MAX_REASONS] + ([f"… and {more} more"] if more > 0 else [])


def _ask(
    session: Session, parent: ToolExecution, children: list[ToolExecution], *, actor: Actor, now: datetime
) -> None:
    said = approvals.summary(parent, where=f"{len(children)} devices of {parent.group_name}")
    reasons = _reasons([child for child in children if child.decision == Verdict.ASK])
    rest = CARD_REST + 2 * len("".join([said, *reasons]).encode())  # twice: for what JSON escapes
    fits = _fitting(children, MAX_PAYLOAD - rest)
    if fits < len(children):
        raise Conflict(
            f"A person must be asked about this, and {len(children)} devices do not fit on one card; "
            f"{fits} would. Make smaller groups."
        )
    for row in (parent, *children):
        row.status = Status.AWAITING_APPROVAL.value
    card = approvals.ask(session, children, actor=actor, now=now, said=said, reasons=reasons)
    parent.approval_id = card.id


def _fitting(children: Sequence[ToolExecution], left: int) -> int:
    """How many of them a message can show to the person who decides, if so many bytes are left in it."""
    for number, child in enumerate(children):
        shown = ApprovalCommand(device_id=child.device_id, tool=child.tool_name, arguments=child.parameters)
        left -= len(shown.encode()) + 1
        if left < 0:
            return number
    return len(children)
