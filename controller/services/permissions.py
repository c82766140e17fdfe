"""May this actor make this call on this device? Pure: allow, ask or deny, with every reason.

The layers stand in one order and are all evaluated as far as they make sense; the
strictest verdict holds. No layer can loosen what another said.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.services import arguments as checks
from controller.services import policy
from controller.services.actors import FORGEABLE, Actor, KeyBounds, Role
from controller.services.policy import Verdict
from controller.services.targets import OfferedTool, Target
from schemas import paths
from schemas.devices import Risk
from schemas.errors import ErrorCode
from schemas.paths import PathRefused
from schemas.wire import JsonObject

ALLOW, ASK, DENY = Verdict.ALLOW, Verdict.ASK, Verdict.DENY
DOOR = "door"  # the layer that bounds what a door lets in


@dataclass(frozen=True, slots=True)
class Proposal:
    """A call somebody would like to make.

    `question`: the person only asked something. `doubts`: reasons why a person should
    look although policy would allow it (an argument that came from a device, a typo).
    """

    tool: str
    arguments: JsonObject
    dry_run: bool = False
    question: bool = False
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer said, and why."""

    name: str
    verdict: Verdict
    reason: str
    code: ErrorCode | None = None  # of a denial


@dataclass(frozen=True, slots=True)
class Decision:
    """All layers together. `arguments` are the resolved ones that a device would be sent."""

    verdict: Verdict
    layers: tuple[Layer, ...]
    arguments: JsonObject
    risk: Risk

    def joined(self, layer: Layer) -> "Decision":
        """The decision with what one more layer says; no layer loosens what another said."""
        verdict = max(self.verdict, layer.verdict, key=lambda each: each.rank)
        return Decision(verdict, (*self.layers, layer), self.arguments, self.risk)

    @property
    def reasons(self) -> list[str]:
        """Why it is not plainly allowed; what allows it if it is."""
        strictest = [layer.reason for layer in self.layers if layer.verdict is self.verdict]
        return strictest if self.verdict is not ALLOW else [layer.reason for layer in self.layers]

    @property
    def code(self) -> ErrorCode:
        """The cause of a denial."""
        codes = [layer.code for layer in self.layers if layer.verdict is DENY and layer.code]
        return codes[0] if codes else ErrorCode.PERMISSION_DENIED


def decide(actor: Actor, target: Target, proposal: Proposal, *, mqtt_max_risk: Risk = Risk.LOW) -> Decision:
    """Judge one call. Never raises: what cannot be judged is denied.

    `mqtt_max_risk`: the most that may come of words whose sender nobody can prove.
    """
    layers: list[Layer] = []
    resolved: JsonObject = proposal.arguments
    risk = Risk.CRITICAL
    for layer, outcome in _layers(actor, target, proposal, mqtt_max_risk):
        layers.append(layer)
        if outcome is not None:
            resolved, risk = outcome
        if layer.verdict is DENY:
            break
    verdict = max((layer.verdict for layer in layers), key=lambda each: each.rank)
    return Decision(verdict, tuple(layers), resolved, risk)


_Outcome = tuple[JsonObject, Risk] | None


def _layers(
    actor: Actor, target: Target, proposal: Proposal, mqtt_max_risk: Risk
) -> Iterator[tuple[Layer, _Outcome]]:
    role = actor.role_on(target.device_id, target.groups)
    yield _device(target, role), None
    if actor.key is not None:
        yield _key(actor.key), None
    yield _tool(target, proposal.tool), None
    offered = target.tools[proposal.tool]
    risk = offered.risk_of(proposal.arguments)
    yield _role(role, offered, risk), (proposal.arguments, risk)
    if actor.via in FORGEABLE:
        yield _door(risk, mqtt_max_risk), None
    yield _whitelist(target, proposal.tool), None
    if proposal.dry_run:
        yield _preview(target, offered), None
    signature = offered.signature
    if isinstance(signature, checks.UnusableSchema):
        reason = f"The tool's parameters cannot be checked: {signature}."
        yield _deny("arguments", reason, ErrorCode.INVALID_ARGUMENTS), None
        return
    yield _arguments(signature, proposal.arguments), None
    layer, resolved = _paths(target, signature, proposal.arguments)
    yield layer, (resolved, risk)
    yield _apps(target, signature, resolved), None
    yield _risk(target, offered, risk, proposal), None
    if proposal.question:
        yield _question(offered, risk), None
    if proposal.doubts:
        yield _doubts(offered, proposal), None


def _device(target: Target, role: Role) -> Layer:
    if not target.known or role is Role.GUEST:  # who may not see it is told what a stranger would be
        return _deny("device", f"There is no device {target.device_id!r}.", ErrorCode.UNKNOWN_DEVICE)
    if target.revoked:
        reason = (
            f"{target.device_id} was revoked; let it in again with: orion devices invite {target.device_id}"
        )
        return _deny("device", reason, ErrorCode.PERMISSION_DENIED)
    if not target.adopted:
        reason = f"{target.device_id} is waiting to be adopted: orion devices adopt {target.device_id}"
        return _deny("device", reason, ErrorCode.PERMISSION_DENIED)
    return _allow("device", f"{target.device_id} is known and adopted")


def _key(key: KeyBounds) -> Layer:
    if not key.may("commands", "write"):
        reason = "The API key does not open commands:write."
        return _deny("key", reason, ErrorCode.PERMISSION_DENIED)
    return _allow("key", "the API key opens commands:write")


def _tool(target: Target, name: str) -> Layer:
    offered = target.tools.get(name)
    if offered is None:
        gone = " any more" if name in target.withdrawn else ""
        return _deny("tool", f"{target.device_id} does not offer {name!r}{gone}.", ErrorCode.UNKNOWN_TOOL)
    if not offered.adopted:
        reason = f"{name} changed since it was adopted, or is new: orion devices adopt {target.device_id}"
        return _deny("tool", reason, ErrorCode.TOOL_CHANGED)
    return _allow("tool", f"{name} is offered and adopted")


def _door(risk: Risk, at_most: Risk) -> Layer:
    """A broker can forge what people say through it: above the bound not even a question is asked."""
    if risk.rank > at_most.rank:
        reason = (
            f"What comes by MQTT may cause {at_most.value} risk at most, and this is {risk.value}; "
            "an admin may raise mqtt_max_risk."
        )
        return _deny(DOOR, reason, ErrorCode.PERMISSION_DENIED)
    return _allow(DOOR, f"by MQTT up to {at_most.value} risk is allowed")


def _whitelist(target: Target, name: str) -> Layer:
    if target.allowed_tools is not None and name not in target.allowed_tools:
        reason = f"{name} is not among the tools allowed on {target.device_id}."
        return _deny("whitelist", reason, ErrorCode.PERMISSION_DENIED)
    return _allow("whitelist", f"{name} may be used on {target.device_id}")


def _preview(target: Target, offered: OfferedTool) -> Layer:
    """A device may ignore `dry_run` and act: only one that is known to look is asked to."""
    if offered.read_only:
        return _allow("preview", f"{offered.tool.name} only looks")
    if offered.builtin or target.previews:
        return _allow("preview", f"{target.device_id} can say what it would do")
    reason = (
        f"{target.device_id} does not say that it can preview {offered.tool.name}, so it might do it. "
        "A device that can says so in its profile: capabilities, dry_run."
    )
    return _deny("preview", reason, ErrorCode.NOT_SUPPORTED)


def _arguments(signature: checks.Signature, call: JsonObject) -> Layer:
    fault = signature.fault(call)
    if fault is None and not checks.is_canonical(call):
        fault = "a number or a text is not what JSON can carry exactly"
    if fault is not None:
        return _deny("arguments", fault, ErrorCode.INVALID_ARGUMENTS)
    return _allow("arguments", "the arguments fit the tool's schema")


def _paths(target: Target, signature: checks.Signature, call: JsonObject) -> tuple[Layer, JsonObject]:
    if not signature.marked(call, "path"):
        return _allow("paths", "no path is involved"), call
    resolved = signature.copy(call)
    marked = signature.marked(resolved, "path")
    if not target.allowed_paths:
        reason = f"No folder is allowed on {target.device_id}: orion devices policy {target.device_id} --allow-path …"
        return _deny("paths", reason, ErrorCode.PATH_NOT_ALLOWED), call
    where = ""
    for found in marked:
        if not isinstance(found.value, str):
            return _deny("paths", f"{found.where}: a path is a text", ErrorCode.PATH_NOT_ALLOWED), call
        try:
            where = paths.resolve(found.value, target.flavour, home=target.home, base=target.allowed_paths[0])
        except PathRefused as error:
            return _deny("paths", f"{found.where}: {error.reason}", ErrorCode.PATH_NOT_ALLOWED), call
        if not any(paths.is_within(where, allowed, target.flavour) for allowed in target.allowed_paths):
            allowed = ", ".join(target.allowed_paths)
            reason = f"{where} is outside the allowed folders ({allowed})."
            return _deny("paths", reason, ErrorCode.PATH_NOT_ALLOWED), call
        found.put(where)
    return _allow("paths", f"{where} is inside an allowed folder"), resolved


def _apps(target: Target, signature: checks.Signature, call: JsonObject) -> Layer:
    marked = signature.marked(call, "app")
    if not marked:
        return _allow("apps", "no application is involved")
    allowed = {name.casefold() for name in target.allowed_apps}
    for found in marked:
        if str(found.value).casefold() not in allowed:
            reason = f"The application {str(found.value)!r} is not allowed on {target.device_id}."
            return _deny("apps", reason, ErrorCode.APP_NOT_ALLOWED)
    return _allow("apps", "the application is allowed")


def _role(role: Role, offered: OfferedTool, risk: Risk) -> Layer:
    verdict = policy.by_role(role, risk, read_only=offered.read_only)
    kind = "read-only" if offered.read_only else "changing"
    words = {ALLOW: "may make", ASK: "needs approval for", DENY: "may not make"}[verdict]
    reason = f"the role {role.value} {words} {kind} calls of {risk.value} risk"
    return Layer("role", verdict, reason, _code(verdict))


def _risk(target: Target, offered: OfferedTool, risk: Risk, proposal: Proposal) -> Layer:
    verdict = policy.by_profile(target.policy, risk, read_only=offered.read_only)
    if verdict is ASK and proposal.dry_run and offered.builtin:
        return _allow("risk", "a preview changes nothing")
    words = {ALLOW: "allows", ASK: "asks a person about", DENY: "forbids"}[verdict]
    reason = (
        f"{target.device_id} is under the policy '{target.policy.value}', which {words} {risk.value} risk"
    )
    return Layer("risk", verdict, reason, _code(verdict))


def _question(offered: OfferedTool, risk: Risk) -> Layer:
    if not offered.read_only or risk.rank > Risk.MEDIUM.rank:
        reason = "You asked a question, and a question changes nothing."
        return _deny("question", reason, ErrorCode.PERMISSION_DENIED)
    return _allow("question", "a question may look")


def _doubts(offered: OfferedTool, proposal: Proposal) -> Layer:
    if offered.read_only:
        return _allow("origin", "it only looks")
    return Layer("origin", ASK, "; ".join(proposal.doubts))


def _allow(name: str, reason: str) -> Layer:
    return Layer(name, ALLOW, reason)


def _deny(name: str, reason: str, code: ErrorCode) -> Layer:
    return Layer(name, DENY, reason, code)


def _code(verdict: Verdict) -> ErrorCode | None:
    return ErrorCode.PERMISSION_DENIED if verdict is DENY else None
