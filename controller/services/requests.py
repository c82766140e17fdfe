"""What somebody would like a device to do, judged and written down; nothing is started here.

Whatever the gate says, the row says it too: a refusal is recorded like anything else.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel import Session

from controller.services import arguments, audit, conditions, permissions, targets
from controller.services.actors import Actor, Role
from controller.services.conditions import Condition
from controller.services.orders import Status
from controller.services.permissions import Decision, Proposal
from controller.services.policy import Verdict
from controller.services.targets import Target
from controller.store import house
from controller.store.tables import Device, ToolExecution
from schemas import context, traces
from schemas.errors import ErrorCode
from schemas.ids import new_id
from schemas.wire import JsonObject

VALID_FOR = 60.0  # seconds that a command may wait for its device
VALID_AT_MOST = 7 * 24 * 3600.0
TIMEOUT = 60.0  # seconds of a tool that names none
MAX_TIMEOUT = 3600.0
UNDO = "undo"  # the built-in tool that puts back


@dataclass(frozen=True, slots=True)
class Origin:
    """Where commands come from. What has one `plan_id` is decided together, so it is ours alone to make.

    The trace is a label that a caller may have chosen; `asked_in` is the piece of work in it.
    """

    plan_id: str
    trace_id: str
    asked_in: str | None = None

    @classmethod
    def here(cls, plan_id: str | None = None) -> "Origin":
        """The work at hand, with a plan of its own unless one is named."""
        found = context.trace()
        if found is None:
            return cls(plan_id or new_id(), traces.begun().trace_id)
        return cls(plan_id or new_id(), found.trace_id, found.span_id)


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """What somebody would like a device to do.

    `when_online`: a device that is away is waited for, `valid_s` seconds from now.
    """

    device_id: str
    tool: str
    arguments: JsonObject
    dry_run: bool = False
    valid_s: float = VALID_FOR
    timeout_s: float | None = None
    when_online: bool = False
    condition: Condition | None = None
    undoes: str | None = None
    question: bool = False
    doubts: tuple[str, ...] = ()
    session_id: str | None = None
    user_query: str | None = None
    reasoning: str | None = None


def explain(
    session: Session, request: CommandRequest, *, device: Device | None, actor: Actor
) -> tuple[Decision, JsonObject]:
    """What the gate would say of a command at this moment, with its arguments as they would be shown. Records nothing."""
    target = _target(device, request, actor)
    decision, _ = _decided(session, request, target, actor)
    offered = target.tools.get(request.tool)
    shown = arguments.recordable(decision.arguments)
    return decision, shown if offered is None else arguments.redacted(offered.tool.parameters, shown)


def judge(
    session: Session,
    request: CommandRequest,
    *,
    device: Device | None,
    actor: Actor,
    now: datetime,
    origin: Origin,
) -> ToolExecution:
    """Record one command with what the gate says of it. Asks the store nothing."""
    target = _target(device, request, actor)
    decision, request = _decided(session, request, target, actor)
    row = _record(request, target, decision, actor=actor, now=now, origin=origin)
    session.add(row)
    audit.record(session, f"decision.{decision.verdict.value}", now=now, actor=actor, command=row)
    return row


def _target(device: Device | None, request: CommandRequest, actor: Actor) -> Target:
    """The device as the gate sees it: of one that somebody does not see not even the shape of its tools is told."""
    seen = device is not None and actor.role_on(device.device_id, device.groups) is not Role.GUEST
    return targets.of(device) if device and seen else targets.unknown(request.device_id)


def _decided(
    session: Session, request: CommandRequest, target: Target, actor: Actor
) -> tuple[Decision, CommandRequest]:
    """What the gate says, and the request with its condition as it is kept."""
    at_most = house.of(session).mqtt_max_risk
    decision = permissions.decide(actor, target, _proposal(request), mqtt_max_risk=at_most)
    if request.condition is None or decision.verdict is Verdict.DENY:
        return decision, request
    layer, resolved = conditions.judge(actor, target, request.condition, mqtt_max_risk=at_most)
    return decision.joined(layer), replace(request, condition=resolved)


def _proposal(request: CommandRequest) -> Proposal:
    return Proposal(
        request.tool,
        request.arguments,
        dry_run=request.dry_run,
        question=request.question,
        doubts=request.doubts,
    )


def _record(
    request: CommandRequest,
    target: Target,
    decision: Decision,
    *,
    actor: Actor,
    now: datetime,
    origin: Origin,
) -> ToolExecution:
    offered = target.tools.get(request.tool)
    whole = shown = arguments.recordable(decision.arguments)
    if offered is not None:
        shown = arguments.redacted(offered.tool.parameters, whole)
    timeout = request.timeout_s or (offered.tool.timeout_s if offered else None) or TIMEOUT
    return ToolExecution(
        id=new_id(),
        session_id=request.session_id,
        device_id=request.device_id,
        tool_name=request.tool,
        parameters=shown,
        secret_parameters=whole if shown != whole else None,
        dry_run=request.dry_run,
        user_query=request.user_query,
        llm_reasoning=request.reasoning,
        requested_by=actor.user,
        role=actor.role_on(target.device_id, target.groups).value,
        via=actor.via.value,
        api_key_id=actor.key.key_id if actor.key else None,
        trace_id=origin.trace_id,
        asked_in=origin.asked_in,
        plan_id=origin.plan_id,
        decision=decision.verdict.value,
        reasons=decision.reasons,
        layers=layers(decision),
        risk=decision.risk.value,
        when_online=request.when_online,
        condition=request.condition.to_json() if request.condition else None,
        undoes=request.undoes or _named_to_undo(request.tool, whole),
        status=Status.QUEUED.value,
        timeout_s=min(timeout, MAX_TIMEOUT),
        valid_s=request.valid_s,
        issued_at=now,
        expires_at=now + timedelta(seconds=request.valid_s),
    )


def layers(decision: Decision) -> list[JsonObject]:
    """What each layer of the gate said, as it is recorded and shown."""
    found: list[JsonObject] = []
    for layer in decision.layers:
        said: JsonObject = {"layer": layer.name, "verdict": layer.verdict.value, "reason": layer.reason}
        found.append(said if layer.code is None else said | {"code": layer.code.value})
    return found


def _named_to_undo(tool: str, call: JsonObject) -> str | None:
    """The command that a call of the undo tool puts back, by whichever door it came."""
    named = call.get("command_id") if tool == UNDO else None
    return named if isinstance(named, str) else None


def code(row: ToolExecution) -> ErrorCode:
    """Why a command was denied."""
    return ErrorCode(row.layers[-1]["code"])


def lasts_until(row: ToolExecution) -> datetime:
    """When an order that waits for its device is over: counted from the submit, whatever held it up."""
    return row.issued_at + timedelta(seconds=row.valid_s)
