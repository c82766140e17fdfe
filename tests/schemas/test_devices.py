"""A profile's limits: what a device may offer, and how large, deep and clear it must be."""

import json
from typing import Any

import pytest

from schemas.devices import (
    MAX_INTEGER,
    MAX_PATTERN,
    MAX_TOOL_BYTES,
    MAX_TOOLS,
    Profile,
    Risk,
    ToolAnnotations,
)
from schemas.wire import MalformedMessage


def tool(name: str = "t", **fields: Any) -> dict[str, Any]:
    return {"name": name, "description": "", "parameters": {"type": "object"}} | fields


def profile(*tools: dict[str, Any], **fields: Any) -> Profile:
    values = {"device_id": "d", "boot_id": "b", "tools": list(tools), "at": "2026-02-12T10:30:05Z"}
    return Profile.decode(json.dumps(values | fields).encode())


def nested(depth: int) -> dict[str, Any]:
    """A schema in which objects stand in each other."""
    inner: dict[str, Any] = {"type": "string"}
    for _ in range(depth - 1):
        inner = {"x": inner}
    return inner | {"type": "object"}


def test_what_a_tool_does_not_say_is_taken_for_the_worst() -> None:
    (offered,) = profile(tool()).tools

    assert offered.risk is Risk.HIGH
    assert offered.hints == ToolAnnotations()
    assert not offered.hints.read_only
    assert offered.hints.destructive
    assert offered.hints.open_world
    assert not offered.hints.idempotent


def test_hints_have_the_names_of_the_model_context_protocol() -> None:
    (offered,) = profile(tool(annotations={"readOnlyHint": True, "destructiveHint": False})).tools

    assert offered.hints.read_only
    assert offered.to_json()["annotations"]["readOnlyHint"] is True


def test_risks_are_ordered() -> None:
    assert [risk.rank for risk in Risk] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Big"},
        {"name": "1st"},
        {"name": "a-b"},
        {"name": ""},
        {"name": "a" * 65},
        {"description": None},
        {"risk": "none"},
        {"risk": None},
        {"timeout_s": -1},
        {"annotations": {"readOnlyHint": "yes"}},
        {"parameters": {}},
        {"parameters": {"type": "array"}},
        {"parameters": {"type": ["object"]}},
        {"parameters": True},
        {"parameters": {"type": "object", "$ref": "https://elsewhere/x"}},
        {"parameters": {"type": "object", "properties": {"a": {"$ref": "other.json#/x"}}}},
        {"parameters": {"type": "object", "allOf": [{"$dynamicRef": "elsewhere"}]}},
        {"parameters": {"type": "object", "properties": {"a": {"pattern": "a" * (MAX_PATTERN + 1)}}}},
        {"parameters": {"type": "object", "maximum": MAX_INTEGER + 1}},
        {"parameters": {"type": "object", "enum": [[-MAX_INTEGER - 1]]}},
    ],
)
def test_a_tool_that_breaks_a_rule_makes_the_profile_malformed(fields: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage, match=r"tools\.0"):
        profile(tool(**fields))


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {}}},
        {"type": "object", "properties": {"a": {"pattern": "a" * MAX_PATTERN}}},
        {"type": "object", "properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}}},
        {"type": "object", "maximum": MAX_INTEGER, "minimum": -MAX_INTEGER, "default": True},
    ],
)
def test_a_tool_at_the_edge_of_the_rules_is_taken(parameters: dict[str, Any]) -> None:
    assert profile(tool(parameters=parameters)).tools[0].parameters == parameters


def test_a_schema_may_be_8_objects_deep_and_no_deeper() -> None:
    assert profile(tool(parameters=nested(8)))
    with pytest.raises(MalformedMessage, match="deeper"):
        profile(tool(parameters=nested(9)))


def test_depth_is_counted_through_lists() -> None:
    with pytest.raises(MalformedMessage, match="deeper"):
        profile(tool(parameters={"type": "object", "anyOf": [nested(8)]}))


def test_a_tool_may_have_16_kib_and_no_more() -> None:
    assert profile(tool(description="x" * (MAX_TOOL_BYTES - 200)))
    with pytest.raises(MalformedMessage, match="larger"):
        profile(tool(description="x" * MAX_TOOL_BYTES))


def test_a_profile_may_list_200_tools_and_no_more() -> None:
    many = [tool(f"t{number}") for number in range(MAX_TOOLS)]

    assert len(profile(*many).tools) == MAX_TOOLS
    with pytest.raises(MalformedMessage, match="tools"):
        profile(*many, tool("one_more"))


def test_a_tool_is_listed_once() -> None:
    with pytest.raises(MalformedMessage, match="twice"):
        profile(tool(), tool(description="another"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("device_id", "D"),
        ("device_id", "-d"),
        ("device_id", "d/x"),
        ("device_id", "d" * 64),
        ("device_id", "d\n"),
        ("os", {"type": "beos"}),
        ("hardware", {"ram_gb": -1}),
        ("capabilities", {"screen": "yes"}),
        ("allowed_paths", "all"),
        ("allowed_apps", [1]),
    ],
)
def test_a_profile_with_an_impossible_field_is_malformed(field: str, value: object) -> None:
    with pytest.raises(MalformedMessage, match=field):
        profile(**{field: value})


def test_no_list_and_an_empty_list_are_two_things() -> None:
    assert profile().allowed_paths is None
    assert profile(allowed_paths=[]).allowed_paths == []
