"""A device, its tools and a call, as a model is shown and makes them."""

from typing import Any

from pydantic import JsonValue

from controller.assistant.candidates import KnownDevice
from controller.assistant.providers.provider import ToolCall
from controller.assistant.toolbox import Offer, Toolbox
from schemas import builtin
from schemas.devices import Tool

BUILTIN = tuple(builtin.TOOLS.values())


def a_device(device_id: str = "laptop", **known: Any) -> KnownDevice:
    return KnownDevice(**{"device_id": device_id, "name": None, "aliases": (), "hostname": None, **known})


def a_tool(name: str = "blink", properties: dict[str, Any] | None = None, **more: Any) -> Tool:
    parameters = {"type": "object", "properties": properties or {}, **more.pop("schema", {})}
    return Tool(**{"name": name, "description": "Blinks.", "parameters": parameters, **more})


def a_box(*offers: tuple[str, tuple[Tool, ...]], question: bool = False) -> Toolbox:
    return Toolbox([Offer(a_device(device_id), tools) for device_id, tools in offers], question=question)


def a_call(name: str, **arguments: JsonValue) -> ToolCall:
    return ToolCall("call-1", name, arguments)


def shown(box: Toolbox, name: str) -> dict[str, Any]:
    [spec] = [spec for spec in box.specs if spec.name == name]
    properties = spec.parameters["properties"]
    assert isinstance(properties, dict)
    return properties
