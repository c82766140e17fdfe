"""What must be true right before an order leaves: that its device is there, or that a tool says so.

A precondition may only look. Its answer counts for the one leaving it was asked for, and
nothing but a plain `true` of the device lets an order go.
"""

import dataclasses
import re
from typing import Any

from controller.services import arguments, permissions
from controller.services.actors import Actor
from controller.services.permissions import Layer, Proposal
from controller.services.policy import Verdict
from controller.services.targets import Target
from controller.store.tables import ToolExecution
from schemas.devices import Risk
from schemas.errors import ErrorCode
from schemas.wire import JsonObject

MAX_NAMED = 10  # fields of an answer that a sentence names
_NAME = re.compile(
    r"[A-Za-z_][A-Za-z0-9_]{0,63}"
)  # a field that is a word; the rest of an answer is not said


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """A tool's answer, or without a tool that the device is online.

    `field`: what of the answer must be true; None: its only yes or no.
    """

    tool: str | None = None
    arguments: JsonObject = dataclasses.field(default_factory=dict)
    field: str | None = None

    def to_json(self) -> JsonObject:
        """As it is stored."""
        if self.tool is None:
            return {"state": "online"}
        stored: JsonObject = {"tool": self.tool, "arguments": self.arguments}
        return stored if self.field is None else stored | {"field": self.field}


ONLINE = Condition()


def of(row: ToolExecution) -> Condition | None:
    """What an order asks for before it leaves."""
    return kept(row.condition)


def kept(stored: dict[str, Any] | None) -> Condition | None:
    """What was stored of a condition, as `Condition.to_json` made it."""
    if stored is None:
        return None
    return Condition(stored.get("tool"), stored.get("arguments") or {}, stored.get("field"))


def shown(row: ToolExecution) -> JsonObject | str | None:
    """As the API has it; `checked_by` is the command that asked the device."""
    return "online" if row.condition == ONLINE.to_json() else row.condition


def checked_by(row: ToolExecution) -> str | None:
    """The command that asked for this order, the last time it was about to leave."""
    found: str | None = (row.condition or {}).get("checked_by")
    return found


def waits_for_answer(row: ToolExecution) -> bool:
    """Whether the order stands behind its own question to the device."""
    return row.follows is not None and row.follows == checked_by(row)


def judge(
    actor: Actor, target: Target, condition: Condition, *, mqtt_max_risk: Risk = Risk.LOW
) -> tuple[Layer, Condition]:
    """Whether the question may be asked at all, and the question as it is kept: resolved, and without a secret."""
    if condition.tool is None:
        return Layer("condition", Verdict.ALLOW, "it leaves only while its device is online"), condition
    offered = target.tools.get(condition.tool)
    kept = arguments.recordable(condition.arguments)
    if offered is not None:
        kept = arguments.redacted(offered.tool.parameters, kept)
    refused = dataclasses.replace(condition, arguments=kept)
    if offered is not None and offered.adopted and not offered.read_only:
        return _no(f"A precondition may only look, and {condition.tool} changes something."), refused
    proposal = Proposal(condition.tool, condition.arguments)
    decision = permissions.decide(actor, target, proposal, mqtt_max_risk=mqtt_max_risk)
    if decision.verdict is Verdict.DENY:
        return _no(f"Its precondition: {decision.reasons[0]}", decision.code), refused
    if decision.verdict is Verdict.ASK:
        return _no(f"A precondition must be allowed without a question: {decision.reasons[0]}"), refused
    if kept != condition.arguments:
        return _no("A precondition may not carry a secret."), refused
    reason = f"{condition.tool} only looks, and must answer true first"
    resolved = dataclasses.replace(condition, arguments=decision.arguments)
    return Layer("condition", Verdict.ALLOW, reason), resolved


def _no(reason: str, code: ErrorCode = ErrorCode.PERMISSION_DENIED) -> Layer:
    return Layer("condition", Verdict.DENY, reason, code)


def objection(condition: Condition, answer: JsonObject | None) -> str | None:
    """Why an answer does not let the order leave, as a sentence; None: it said true."""
    found = answer or {}
    yes_or_no = sorted(name for name, value in found.items() if isinstance(value, bool))
    wanted = condition.field or (yes_or_no[0] if len(yes_or_no) == 1 else None)
    if wanted is None:
        return f"Not run: {condition.tool} answered {_named(yes_or_no)}; say which one must be true."
    value = found.get(wanted)
    if value is True:
        return None
    if value is False:
        return f"Not run: {condition.tool} said {wanted} = false."
    return f"Not run: {condition.tool} said neither true nor false about {wanted}; it answered {_named(yes_or_no)}."


def _named(names: list[str]) -> str:
    """Fields for a sentence: their names are the device's words, so only plain ones are repeated."""
    plain = [name for name in names if _NAME.fullmatch(name)]
    more = len(names) - len(plain[:MAX_NAMED])
    parts = plain[:MAX_NAMED] + ([f"{more} more"] if more else [])
    return ", ".join(parts) if parts else "no yes or no"
