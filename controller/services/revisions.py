"""Which version of a device's place, or of a schedule, somebody looked at: what people set and what was accepted, nothing that lives.

A device says something every few seconds; none of it makes a look at its place outdated.
"""

import hashlib
import json

from controller.services import targets
from controller.store.tables import Device, Schedule


def of_place(row: Device) -> str:
    """The version of a place: its names, what is allowed on it, which tools it offers and which are accepted."""
    offered = {name: tool.hash for name, tool in targets.of(row).tools.items()}
    return _digest(
        row.id,
        row.name,
        row.aliases,
        row.groups,
        row.area,
        row.adopt_first,
        row.public_key,
        row.adopted_tools,
        sorted(offered.items()),
        *_rules(row),
    )


def of_policy(row: Device) -> str:
    """The version of what is allowed on a device: what its owner said, and what follows with its own limits."""
    return _digest(row.id, *_rules(row))


def of_tools(row: Device) -> str:
    """The version of what a device offers, with what of it was accepted."""
    return _digest(row.id, [(name, tool.hash, tool.adopted) for name, tool in targets.of(row).tools.items()])


def of_schedule(row: Schedule) -> str:
    """The version of a schedule: what people set, and whether it is paused; none of its runs."""
    return _digest(row.id, row.changed_at.isoformat())


def _rules(row: Device) -> tuple[object, ...]:
    target = targets.of(row)
    return (
        target.revoked,
        sorted(name for name, tool in target.tools.items() if tool.adopted),
        row.policy,
        row.allowed_tools,
        row.allowed_paths,
        row.allowed_apps,
        target.allowed_paths,
        target.allowed_apps,
    )


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]
