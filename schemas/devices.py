"""What a device says of itself: presence, profile with its tools, heartbeat."""

import json
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from schemas.ids import DeviceId, MessageId, ToolName
from schemas.wire import Instant, Integer, JsonObject, WireModel

MAX_TOOLS = 200
MAX_TOOL_BYTES = 16 * 1024
MAX_SCHEMA_DEPTH = 8
MAX_PATTERN = 200  # characters of a `pattern` keyword
MAX_INTEGER = 2**53 - 1  # RFC 8785, and so a tool's hash, knows no larger one

Percent = Annotated[float, Field(ge=0, le=100, json_schema_extra={"unit": "%"})]
Celsius = Annotated[float, Field(ge=-273.15, json_schema_extra={"unit": "°C"})]
Gigabytes = Annotated[float, Field(ge=0, json_schema_extra={"unit": "GB"})]
Seconds = Annotated[float, Field(ge=0, json_schema_extra={"unit": "s"})]


class Risk(StrEnum):
    """How much harm a call can do. `rank` orders the levels."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {risk: rank for rank, risk in enumerate(Risk)}


class Presence(WireModel):
    """Online or offline, retained and the Last Will of devices and controllers.

    `at` of a will is the time of connecting, so receivers use the time of receipt.
    """

    state: Literal["online", "offline"]
    at: Instant
    boot_id: MessageId
    reason: str | None = None


class ToolAnnotations(WireModel):
    """Hints with the Model Context Protocol's names, meanings and defaults."""

    read_only: bool = Field(default=False, alias="readOnlyHint")
    destructive: bool = Field(default=True, alias="destructiveHint")
    idempotent: bool = Field(default=False, alias="idempotentHint")
    open_world: bool = Field(default=True, alias="openWorldHint")

    model_config = WireModel.model_config | {"validate_by_name": True, "validate_by_alias": True}


def _checked_schema(schema: dict[str, object]) -> dict[str, object]:
    """The limits of `wire.md` on a tool's parameters; no schema is trusted before them."""
    if schema.get("type") != "object":
        raise ValueError("parameters must be a JSON Schema of type object")
    waiting: list[tuple[object, int]] = [(schema, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, dict):
            if depth > MAX_SCHEMA_DEPTH:
                raise ValueError(f"parameters nest deeper than {MAX_SCHEMA_DEPTH}")
            _check_keywords(item)
            waiting.extend((value, depth + 1) for value in item.values())
        elif isinstance(item, list):
            waiting.extend((value, depth) for value in item)
        elif isinstance(item, int) and abs(item) > MAX_INTEGER:
            raise ValueError("parameters hold a number that JSON cannot carry exactly")
    return schema


def _check_keywords(item: dict[str, object]) -> None:
    for keyword in ("$ref", "$dynamicRef"):
        target = item.get(keyword)
        if isinstance(target, str) and not target.startswith("#"):
            raise ValueError("parameters refer to another document")
    pattern = item.get("pattern")
    if isinstance(pattern, str) and len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern is longer than {MAX_PATTERN} characters")


ParameterSchema = Annotated[JsonObject, AfterValidator(_checked_schema)]


class Tool(WireModel):
    """One thing a device can do. `risk` is high unless the device says otherwise."""

    name: ToolName
    description: str
    parameters: ParameterSchema
    title: str | None = None
    annotations: ToolAnnotations | None = None
    risk: Risk = Field(default=Risk.HIGH, strict=False)
    timeout_s: Seconds | None = None

    @property
    def hints(self) -> ToolAnnotations:
        return self.annotations or ToolAnnotations()


def _bounded_tools(tools: list[Tool]) -> list[Tool]:
    if len({tool.name for tool in tools}) != len(tools):
        raise ValueError("a tool is listed twice")
    for tool in tools:
        if len(json.dumps(tool.to_json()).encode()) > MAX_TOOL_BYTES:
            raise ValueError(f"tool {tool.name} is larger than {MAX_TOOL_BYTES} bytes")
    return tools


class OperatingSystem(WireModel):
    """Which path rules hold on the device; without it, POSIX."""

    type: Literal["linux", "windows", "macos", "other"]
    version: str | None = None


class Agent(WireModel):
    """The program that speaks for the device."""

    name: str
    version: str | None = None


class Hardware(WireModel):
    """What the device is made of; a value that cannot be read is left out."""

    cpu: str | None = None
    ram_gb: Gigabytes | None = None
    disk_gb: Gigabytes | None = None


class Profile(WireModel):
    """What the device is and which tools it offers, retained.

    The device's lists only ever narrow what the controller allows; `None` means
    that the device does not narrow.
    """

    device_id: DeviceId
    boot_id: MessageId
    tools: Annotated[list[Tool], Field(max_length=MAX_TOOLS), AfterValidator(_bounded_tools)]
    at: Instant
    hostname: str | None = None
    os: OperatingSystem | None = None
    agent: Agent | None = None
    hardware: Hardware | None = None
    capabilities: dict[str, bool] | None = None
    home: str | None = None
    allowed_paths: list[str] | None = None
    allowed_apps: list[str] | None = None


class Disk(WireModel):
    """How full one mounted file system is."""

    mount: str
    percent: Percent
    free_gb: Gigabytes


class Heartbeat(WireModel):
    """Signs of life and load, QoS 0. A value that cannot be read is left out, not zero."""

    at: Instant
    seq: Annotated[Integer, Field(ge=0)]
    boot_id: MessageId
    uptime_s: Seconds | None = None
    cpu_percent: Percent | None = None
    memory_percent: Percent | None = None
    disks: list[Disk] | None = None
    battery_percent: Percent | None = None
    temperatures: dict[str, Celsius] | None = None
    machines: dict[str, JsonObject] | None = None
