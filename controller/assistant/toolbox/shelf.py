"""One function for each thing the candidate devices can do.

The one rule: a function means the same on every device it lists. Devices whose
tools share a name and nothing else get functions with names of their own.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from controller.assistant import sanitize
from controller.assistant.candidates import KnownDevice
from controller.assistant.providers.provider import ToolSpec
from controller.assistant.toolbox import flat
from schemas import builtin
from schemas.devices import Risk, Tool

DEVICE = "device_id"
LONGEST_NAME = 64  # characters
LONGEST_ENDING = 32  # of them, for the device
MAX_DESCRIPTION = 400  # characters of one tool
MAX_LABEL = 40  # characters of a device's name
MAX_APPS = 12

ASK_USER = ToolSpec(
    "ask_user",
    "Ask the user something that you must know before you go on. Nothing else is done in the same reply.",
    {
        "type": "object",
        "properties": {
            "question": {"type": "string", "description": "One short question, in the user's language."},
            "options": {
                "type": "array",
                "items": {"type": "string"},
                "description": "The answers that are possible, if they are few.",
            },
        },
        "required": ["question"],
    },
)


class Offered(Protocol):
    """A device and its adopted tools."""

    @property
    def device(self) -> KnownDevice: ...
    @property
    def tools(self) -> tuple[Tool, ...]: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One function: how it is shown, and what it is on the devices that have it."""

    name: str
    tool: Tool
    devices: tuple[str, ...]
    spec: ToolSpec
    own_names: dict[str, str] = field(default_factory=dict)  # shown parameter → the tool's own name for it

    @property
    def size(self) -> int:
        """Characters of its description and schema."""
        return len(self.spec.name) + len(self.spec.description) + len(json.dumps(self.spec.parameters))

    @property
    def device_keys(self) -> tuple[str, ...]:
        """Where a model may write the device: some write `device` whatever they are shown."""
        return (DEVICE,) if "device" in flat.properties(self.tool.parameters) else (DEVICE, "device")

    def arguments(self, given: dict[str, JsonValue], device_id: str) -> dict[str, JsonValue]:
        """The tool's own arguments of a call.

        What says nothing is left out: null where null is no value, and a built-in
        tool's default.
        """
        if self.tool.name in builtin.CONTROLLER_TOOLS and self.name == self.tool.name:
            known = flat.properties(self.tool.parameters)
            if DEVICE in known:
                return {DEVICE: device_id}
            return {name: value for name, value in given.items() if name in known and value is not None}
        declared = flat.properties(self.tool.parameters)
        is_builtin = builtin.TOOLS.get(self.tool.name) == self.tool
        kept: dict[str, JsonValue] = {}
        for shown, value in given.items():
            if shown in self.device_keys:
                continue
            name = self.own_names.get(shown, shown)
            schema = declared.get(name, {})
            if value is None and name in declared and not flat.takes_null(schema):
                continue
            if is_builtin and "default" in schema and _same(schema["default"], value):
                continue
            kept[name] = value
        return kept


def read_only(tool: Tool) -> bool:
    """Whether a question may use this tool: it changes nothing and risks at most `medium`.

    A device that gives a built-in tool's name to something else cannot talk its risk down.
    """
    known = builtin.TOOLS.get(tool.name, tool)
    return all(each.hints.read_only and each.risk.rank <= Risk.MEDIUM.rank for each in (tool, known))


def entries(offers: Sequence[Offered]) -> list[Entry]:
    """The functions of these devices: the controller's own first, then built-in ones, then others."""
    devices = [offer.device for offer in offers]
    made = [
        _controller_entry(tool, devices)
        for tool in builtin.CONTROLLER_TOOLS.values()
        if devices or DEVICE not in flat.properties(tool.parameters)
    ]
    taken = {ASK_USER.name, *builtin.CONTROLLER_TOOLS}
    for tool, having in _groups(offers):
        name = _free_name(tool.name, having[0].device_id, taken)
        taken.add(name)
        made.append(_entry(name, tool, having))
    return made


def _groups(offers: Sequence[Offered]) -> Iterator[tuple[Tool, list[KnownDevice]]]:
    groups: dict[str, tuple[Tool, list[KnownDevice]]] = {}
    for offer in offers:
        for tool in offer.tools:
            same = json.dumps([tool.name, tool.description, tool.parameters, read_only(tool)], sort_keys=True)
            groups.setdefault(same, (tool, []))[1].append(offer.device)
    # the plain name goes to the built-in tool: what users and rules rely on by name
    yield from sorted(groups.values(), key=lambda group: builtin.TOOLS.get(group[0].name) != group[0])


def _free_name(name: str, device_id: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    ending = f"_on_{device_id.replace('-', '_')}"[:LONGEST_ENDING]
    for number in itertools.count(1):
        tail = ending if number == 1 else f"{ending}_{number}"
        candidate = name[: LONGEST_NAME - len(tail)] + tail
        if candidate not in taken:
            break
    return candidate


def _entry(name: str, tool: Tool, having: Sequence[KnownDevice]) -> Entry:
    shown = flat.flatten(tool.parameters)
    must = flat.required(tool.parameters)
    own_names: dict[str, str] = {}
    if DEVICE in shown:  # the tool's own parameter of that name is not the device it runs on
        own_names[f"tool_{DEVICE}"] = DEVICE
        shown[f"tool_{DEVICE}"] = shown.pop(DEVICE)
        must = [f"tool_{DEVICE}" if parameter == DEVICE else parameter for parameter in must]
    for parameter, schema in flat.properties(tool.parameters).items():
        if schema.get("format") == "app" and (apps := _apps(having)):
            shown[parameter]["description"] = f"{shown[parameter]['description']} {apps}"
    return Entry(
        name=name,
        tool=tool,
        devices=tuple(device.device_id for device in having),
        spec=_spec(name, tool, {DEVICE: _which(having)} | shown, [DEVICE, *must]),
        own_names=own_names,
    )


def _controller_entry(tool: Tool, devices: Sequence[KnownDevice]) -> Entry:
    needs_device = DEVICE in flat.properties(tool.parameters)
    shown = {DEVICE: _which(devices)} if needs_device else flat.flatten(tool.parameters)
    return Entry(
        name=tool.name,
        tool=tool,
        devices=tuple(device.device_id for device in devices) if needs_device else (),
        spec=_spec(tool.name, tool, shown, flat.required(tool.parameters)),
    )


def _spec(name: str, tool: Tool, shown: dict[str, dict[str, JsonValue]], must: Sequence[str]) -> ToolSpec:
    return ToolSpec(
        name,
        sanitize.one_line(tool.description, MAX_DESCRIPTION),
        {"type": "object", "properties": dict(shown), "required": list(must)},
    )


def _which(devices: Sequence[KnownDevice]) -> dict[str, JsonValue]:
    ids: list[JsonValue] = [device.device_id for device in devices]
    named = [
        f"{device.device_id} = {sanitize.one_line(device.name, MAX_LABEL)}"
        for device in devices
        if device.name and device.name != device.device_id
    ]
    description = "; ".join(["The device to use", *named]) + "."
    return {"type": "string", "description": description} | ({"enum": ids} if ids else {})


def _apps(devices: Sequence[KnownDevice]) -> str:
    names = dict.fromkeys(sanitize.one_line(app, MAX_LABEL) for device in devices for app in device.apps)
    return f"Allowed: {', '.join(list(names)[:MAX_APPS])}." if names else ""


def _same(default: JsonValue, value: JsonValue) -> bool:
    # 1 and true are equal in Python and are not the same here
    return type(default) is type(value) and default == value
