"""One permission decision, beside the JSON Schema validation that it cannot do without."""

from bench.figures import Figure, microseconds
from controller.services import arguments, permissions, targets
from controller.services.actors import Actor, Role
from controller.services.permissions import Proposal
from controller.store.tables import Device
from schemas import builtin
from schemas.commands import Via
from schemas.devices import Profile

GOAL = 100.0  # µs


def measure() -> list[Figure]:
    """All layers for a call with a path, on a device with every built-in tool."""
    target = targets.of(_device())
    actor = Actor("bench", Role.ADMIN, Via.API)
    proposal = Proposal("write_file", {"path": "notes/today.txt", "content": "hello", "overwrite": False})
    decided = permissions.decide(actor, target, proposal)
    if decided.verdict != "allow":
        raise RuntimeError(f"the measured decision should be allow: {decided.reasons}")
    signature = arguments.signature(target.tools["write_file"].tool)
    ours = microseconds(lambda: permissions.decide(actor, target, proposal), rounds=2_000)
    baseline = microseconds(lambda: signature.fault(proposal.arguments), rounds=2_000)
    return [
        Figure(
            "permission decision, all layers",
            ours.said("µs"),
            f"schema validation alone {baseline.said('µs')}",
            ours.median / baseline.median,
            f"under {GOAL:.0f} µs",
            ours.median < GOAL,
        )
    ]


def _device() -> Device:
    profile = Profile.model_validate(
        {
            "device_id": "bench",
            "boot_id": "b",
            "tools": [tool.to_json() for tool in builtin.TOOLS.values()],
            "at": "2026-01-01T00:00:00Z",
            "home": "/home/bench",
            "allowed_paths": ["/srv/files"],
        },
        strict=False,
    )
    adopted = {tool.name: arguments.tool_hash(tool) for tool in profile.tools}
    return Device(
        id="1",
        device_id="bench",
        policy="assist",
        profile=profile.encode().decode(),
        adopted_at=profile.at,
        adopted_tools=adopted,
    )
