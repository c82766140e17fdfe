"""The built-in tools as a contract: names, parameters, risks and limits."""

import json
from typing import Any

import jsonschema_rs
import pytest

from schemas.builtin import CONTROLLER_TOOLS, TOOLS, risk_of
from schemas.devices import MAX_TOOL_BYTES, Risk, Tool

# as the page that users and rules rely on lists them: required, optional, risk, read-only
CONTRACT: dict[str, tuple[str, str, str, bool]] = {
    "create_directory": ("path", "", "low", False),
    "list_directory": ("path", "limit", "low", True),
    "path_info": ("path", "sha256", "low", True),
    "search_files": ("path pattern", "limit", "low", True),
    "read_file": ("path", "max_bytes", "medium", True),
    "write_file": ("path content", "overwrite", "medium", False),
    "copy_path": ("source destination", "overwrite", "medium", False),
    "move_path": ("source destination", "overwrite", "medium", False),
    "delete_path": ("path", "", "high", False),
    "open_app": ("name", "", "medium", False),
    "close_app": ("name", "", "medium", False),
    "list_processes": ("", "limit", "low", True),
    "stop_process": ("", "pid name", "high", False),
    "service_status": ("name", "", "low", True),
    "system_info": ("", "", "low", True),
    "disk_usage": ("", "path", "low", True),
    "network_info": ("", "", "low", True),
    "notify": ("title message", "", "low", False),
    "take_screenshot": ("", "", "medium", True),
    "run_command": ("command", "", "critical", False),
    "restart_device": ("", "delay_s", "high", False),
    "shutdown_device": ("", "delay_s", "high", False),
    "restart_node": ("", "", "medium", False),
    "reload_config": ("", "", "low", False),
    "update_node": ("", "", "high", False),
    "undo": ("command_id", "", "medium", False),
}
EVERY = {**TOOLS, **CONTROLLER_TOOLS}


def test_the_built_in_tools_are_those_of_the_contract() -> None:
    assert set(TOOLS) == set(CONTRACT)
    assert set(CONTROLLER_TOOLS) == {
        "list_devices",
        "device_status",
        "device_impact",
        "remember",
        "recall",
        "forget",
    }


@pytest.mark.parametrize("name", CONTRACT)
def test_a_tool_has_the_parameters_and_the_risk_of_the_contract(name: str) -> None:
    required, optional, risk, read_only = CONTRACT[name]
    tool = TOOLS[name]

    assert tool.parameters.get("required", []) == required.split()
    assert set(_properties(tool)) == set(required.split()) | set(optional.split())
    assert tool.risk == risk
    assert tool.hints.read_only is read_only


@pytest.mark.parametrize("tool", EVERY.values(), ids=EVERY)
def test_a_schema_is_flat_closed_and_fits_a_linear_engine(tool: Tool) -> None:
    jsonschema_rs.validator_for(tool.parameters, pattern_options=jsonschema_rs.RegexOptions())

    assert tool.parameters["additionalProperties"] is False
    assert len(json.dumps(tool.to_json())) < MAX_TOOL_BYTES / 8
    for schema in _properties(tool).values():
        assert schema["type"] in ("string", "integer", "boolean")
        assert schema["description"].endswith(".")
        assert schema["type"] != "string" or schema["maxLength"] > 0
        assert schema["type"] != "integer" or "maximum" in schema


def test_paths_and_applications_are_marked() -> None:
    marks = {
        (name, parameter): schema["format"]
        for name, tool in TOOLS.items()
        for parameter, schema in _properties(tool).items()
        if "format" in schema
    }

    assert all(
        marks.get((name, parameter)) == "path"
        for name, tool in TOOLS.items()
        for parameter in _properties(tool)
        if parameter in ("path", "source", "destination")
    )
    assert {key for key, mark in marks.items() if mark == "app"} == {
        ("open_app", "name"),
        ("close_app", "name"),
    }


@pytest.mark.parametrize("tool", ["write_file", "copy_path", "move_path"])
def test_a_call_that_replaces_something_is_high(tool: str) -> None:
    assert risk_of(tool, {"overwrite": True}) is Risk.HIGH
    assert risk_of(tool, {"overwrite": False}) is Risk.MEDIUM
    assert risk_of(tool, {}) is Risk.MEDIUM


def test_the_risk_of_other_calls_is_that_of_their_tool() -> None:
    assert risk_of("run_command", {"overwrite": True}) is Risk.CRITICAL
    assert risk_of("list_devices", {}) is Risk.LOW
    assert risk_of("brew_coffee", {}) is Risk.HIGH


def _properties(tool: Tool) -> dict[str, Any]:
    properties = tool.parameters["properties"]
    assert isinstance(properties, dict)
    return properties
