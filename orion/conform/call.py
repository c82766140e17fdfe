"""What the device is asked to do: something of its own profile that only looks, unless a person named more."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from controller.services import arguments
from schemas.devices import Risk, Tool
from schemas.wire import JsonObject

UNKNOWN_ARGUMENT = "orion_conform"
WRONG_VALUES: tuple[JsonValue, ...] = ([[]], {}, "orion-conform", -1, True)
NO_SUCH_TOOL = "orion_conform_no_such_tool"


class NoSuchCall(Exception):
    """The tool that a person named cannot be called like this; the message says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool with its arguments."""

    tool: str
    arguments: JsonObject


def chosen(tools: list[Tool], name: str | None, given: JsonObject, *, may_write: bool) -> Call | None:
    """The call that every check makes; None when the device has nothing harmless to offer.

    Raises:
        NoSuchCall: the tool that was named is not there, may change something, or does not take this.
    """
    if name is None:
        harmless = [tool for tool in tools if tool.hints.read_only and fault(tool, {}) is None]
        # the fewer arguments it knows, the less there is to go wrong
        best = min(harmless, key=lambda tool: (tool.risk.rank, len(_properties(tool))), default=None)
        return None if best is None else Call(best.name, {})
    tool = next((each for each in tools if each.name == name), None)
    if tool is None:
        raise NoSuchCall(f"The device offers no tool {name}.")
    if not (tool.hints.read_only or may_write):
        raise NoSuchCall(f"{name} may change something, and is called several times; --write allows that.")
    if (wrong := fault(tool, given)) is not None:
        raise NoSuchCall(f"{name} does not take these arguments: {wrong}")
    return Call(name, given)


def misfit(tools: list[Tool], call: Call) -> Call | None:
    """A call whose arguments do not fit, of a tool that may be called; None when all arguments fit all tools."""
    may = [tool for tool in tools if tool.name == call.tool]
    may += [tool for tool in tools if tool.hints.read_only and tool.risk is Risk.LOW and tool not in may]
    for tool in may:
        start = call.arguments if tool.name == call.tool else {}
        for wrong in _wrong(tool, start):
            if fault(tool, wrong) is not None:
                return Call(tool.name, wrong)
    return None


def fault(tool: Tool, given: JsonObject) -> str | None:
    """Why the arguments do not fit the tool's schema, or the schema cannot be used; None when they fit."""
    try:
        return arguments.signature(tool).fault(given)
    except arguments.UnusableSchema as error:
        return str(error)


def usable(tool: Tool) -> str | None:
    """Why a tool's schema cannot be used; None when it can."""
    try:
        arguments.signature(tool)
    except arguments.UnusableSchema as error:
        return str(error)
    return None


def _wrong(tool: Tool, start: JsonObject) -> Iterator[JsonObject]:
    for name in _properties(tool):
        for value in WRONG_VALUES:
            yield {**start, name: value}
    for name in start:
        yield {other: value for other, value in start.items() if other != name}
    yield {}
    yield {**start, UNKNOWN_ARGUMENT: True}


def _properties(tool: Tool) -> list[str]:
    properties = tool.parameters.get("properties")
    return list(properties) if isinstance(properties, dict) else []
