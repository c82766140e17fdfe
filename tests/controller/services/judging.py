"""Targets for the permission layers, and the denial that a call meets."""

from typing import Any

from controller.services import arguments, permissions, targets
from controller.services.actors import Actor
from controller.services.permissions import Proposal
from controller.services.policy import Verdict
from controller.services.targets import Target
from controller.store.tables import Device
from schemas.devices import Profile, Tool
from schemas.errors import ErrorCode
from tests.factories import ADMIN, NOON, a_profile


def hashes(profile: Profile) -> dict[str, str]:
    return {tool.name: arguments.tool_hash(tool) for tool in profile.tools}


def a_target(profile: Profile | None = None, *, adopted: bool = True, **fields: Any) -> Target:
    """An adopted device as its row describes it."""
    profile = profile or a_profile()
    values: dict[str, Any] = {
        "id": "row",
        "device_id": "laptop",
        "profile": profile.encode().decode(),
        "adopted_at": NOON if adopted else None,
        "adopted_tools": hashes(profile),
        "policy": "assist",
        "registered_at": NOON,
        "updated_at": NOON,
    }
    return targets.of(Device(**(values | fields)))


def one_tool(tool: Tool, **fields: Any) -> Target:
    return a_target(a_profile(tools=[tool]), **fields)


def denied(target: Target, tool: str, arguments: dict[str, Any], actor: Actor = ADMIN) -> ErrorCode:
    decision = permissions.decide(actor, target, Proposal(tool, arguments))
    assert decision.verdict is Verdict.DENY
    assert decision.layers[-1].verdict is Verdict.DENY
    return decision.code
