"""A device as the permission layers see it: what it offers and what its owner allows.

Built from a row of `devices`; pure from there on.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from controller.services import arguments, devices
from controller.services.arguments import Signature, UnusableSchema
from controller.services.policy import PolicyProfile
from controller.store.tables import Device
from schemas import builtin, paths
from schemas.devices import Profile, Risk, Tool
from schemas.paths import Flavour, PathRefused
from schemas.wire import JsonObject

PREVIEWS = "dry_run"  # the capability by which a device says so


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool the device listed. It may be used when the hash an admin looked at is still its own."""

    tool: Tool
    hash: str
    adopted: bool
    builtin: bool
    signature: Signature | UnusableSchema  # compiled once: it is asked at every decision

    @property
    def read_only(self) -> bool:
        """Whether it only looks; before adoption nothing is read-only, whatever it hints.

        A tool that bears the name of a built-in one cannot hint that away.
        """
        known = builtin.TOOLS.get(self.tool.name)
        return self.adopted and self.tool.hints.read_only and (known is None or known.hints.read_only)

    def risk_of(self, call: JsonObject) -> Risk:
        """The higher of the declared risk and the one known for this call."""
        declared = self.tool.risk
        known = builtin.risk_of(self.tool.name, call) if self.tool.name in builtin.TOOLS else declared
        return max(declared, known, key=lambda risk: risk.rank)


@dataclass(frozen=True, slots=True)
class Target:
    """One device at the moment of deciding."""

    device_id: str
    known: bool = False
    revoked: bool = False  # not let in any more, by an admin's word
    adopted: bool = False
    policy: PolicyProfile = PolicyProfile.OBSERVE
    flavour: Flavour = Flavour.POSIX
    home: str | None = None
    groups: frozenset[str] = frozenset()
    previews: bool = False  # it says that it knows `dry_run`
    tools: Mapping[str, OfferedTool] = field(default_factory=dict)
    withdrawn: frozenset[str] = frozenset()  # tools an admin adopted that the device no longer lists
    allowed_tools: frozenset[str] | None = None
    allowed_paths: tuple[str, ...] = ()
    allowed_apps: tuple[str, ...] = ()


def unknown(device_id: str) -> Target:
    """The target that nothing is allowed on."""
    return Target(device_id)


def of(row: Device) -> Target:
    """The target a device's row describes; without a profile it offers nothing."""
    if devices.is_revoked(row):
        return Target(row.device_id, known=True, revoked=True, groups=frozenset(row.groups))
    if row.profile is None:
        return Target(row.device_id, known=True, groups=frozenset(row.groups))
    return _build(
        row.profile,
        tuple(sorted((row.adopted_tools or {}).items())),
        PolicyProfile(row.policy),
        _frozen(row.allowed_tools),
        _frozen(row.allowed_paths),
        _frozen(row.allowed_apps),
        frozenset(row.groups),
        adopted=row.adopted_at is not None,
    )


def _frozen(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


@lru_cache(maxsize=1024)  # a profile is read far more often than it changes
def _build(
    profile_json: str,
    adopted_tools: tuple[tuple[str, str], ...],
    policy: PolicyProfile,
    allowed_tools: tuple[str, ...] | None,
    allowed_paths: tuple[str, ...] | None,
    allowed_apps: tuple[str, ...] | None,
    groups: frozenset[str],
    *,
    adopted: bool,
) -> Target:
    stored = json.loads(profile_json)
    tools = _shelf(json.dumps(stored["tools"]), adopted_tools)
    profile = Profile.restore(json.dumps(stored | {"tools": []}))  # its tools are the costly part of it
    flavour = paths.flavour_of(profile.os)
    return Target(
        device_id=profile.device_id,
        known=True,
        adopted=adopted,
        policy=policy,
        flavour=flavour,
        home=profile.home,
        groups=groups,
        previews=(profile.capabilities or {}).get(PREVIEWS, False),
        tools=tools,
        withdrawn=frozenset(name for name, _ in adopted_tools) - tools.keys(),
        allowed_tools=None if allowed_tools is None else frozenset(allowed_tools),
        allowed_paths=narrowed_paths(allowed_paths, profile.allowed_paths, flavour, profile.home),
        allowed_apps=_narrowed_apps(allowed_apps, profile.allowed_apps),
    )


@lru_cache(maxsize=256)  # a fleet offers the same few lists over and over
def _shelf(tools_json: str, adopted_tools: tuple[tuple[str, str], ...]) -> Mapping[str, OfferedTool]:
    hashes = dict(adopted_tools)
    tools = [Tool.restore(json.dumps(tool)) for tool in json.loads(tools_json)]
    return MappingProxyType({tool.name: _offered(tool, hashes.get(tool.name)) for tool in tools})


def _offered(tool: Tool, adopted_hash: str | None) -> OfferedTool:
    own = arguments.tool_hash(tool)
    known = builtin.TOOLS.get(tool.name)
    return OfferedTool(
        tool=tool,
        hash=own,
        adopted=own == adopted_hash,
        builtin=known is not None and arguments.tool_hash(known) == own,
        signature=_compiled(tool),
    )


def _compiled(tool: Tool) -> Signature | UnusableSchema:
    try:
        return arguments.signature(tool)
    except UnusableSchema as flaw:
        return flaw


def narrowed_paths(
    owner: tuple[str, ...] | None, device: list[str] | None, flavour: Flavour, home: str | None
) -> tuple[str, ...]:
    """The folders that both sides allow, in the owner's order. Nobody named any: none at all."""
    ours = None if owner is None else _resolved(owner, flavour, home)
    theirs = None if device is None else _resolved(device, flavour, home)
    if ours is None or theirs is None:
        return tuple(ours or theirs or ())
    both: list[str] = []
    for mine in ours:
        for other in theirs:
            if paths.is_within(mine, other, flavour):
                both.append(mine)
            elif paths.is_within(other, mine, flavour):
                both.append(other)
    return tuple(dict.fromkeys(both))


def _resolved(texts: tuple[str, ...] | list[str], flavour: Flavour, home: str | None) -> list[str]:
    """The folders that are plainly paths; a doubtful one allows nothing."""
    found = []
    for text in texts:
        with suppress(PathRefused):
            found.append(paths.resolve(text, flavour, home=home, base=None))
    return found


def _narrowed_apps(owner: tuple[str, ...] | None, device: list[str] | None) -> tuple[str, ...]:
    if owner is None or device is None:
        return tuple((owner if device is None else device) or ())
    theirs = {name.casefold() for name in device}
    return tuple(name for name in owner if name.casefold() in theirs)
