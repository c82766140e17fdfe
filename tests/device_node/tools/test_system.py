"""The device as it is, and the node's own tools."""

import json
import re
import socket
from pathlib import Path

import pytest

from device_node.safety.policy import LocalPolicy
from device_node.tools import TOOLS
from device_node.tools.tool import ToolError, fitting
from schemas import builtin
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk, cancelled


def test_the_table_holds_every_built_in_tool_and_no_other() -> None:
    assert {name: tool.spec for name, tool in TOOLS.items()} == builtin.TOOLS


def test_the_system_is_described(desk: Desk) -> None:
    result = desk.run("system_info")

    assert {"hostname", "os", "architecture", "memory_bytes", "uptime_s"} <= set(result)
    json.dumps(result, allow_nan=False)


def test_disks_are_measured(desk: Desk) -> None:
    of_path = desk.run("disk_usage", path=desk.at())["disks"]

    assert len(of_path) == 1
    assert 0 <= of_path[0]["percent"] <= 100
    assert len(desk.run("disk_usage")["disks"]) >= 1
    assert desk.fails("disk_usage", path=desk.at("none")) == ErrorCode.NOT_FOUND


def test_a_listening_port_is_found(desk: Desk) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]

        result = desk.run("network_info")

    assert ("tcp", "127.0.0.1", port) in {
        (row["protocol"], row["address"], row["port"]) for row in result["listening"]
    }
    assert any("127.0.0.1" in row.get("ipv4", []) for row in result["interfaces"])


def test_the_nodes_own_tools_ask_the_program_around(desk: Desk) -> None:
    assert desk.run("restart_node") == {"restarting": True}
    assert desk.run("reload_config") == {"allowed_paths": []}
    assert desk.fails("update_node") == ErrorCode.NOT_SUPPORTED
    desk.control.can_update = True
    assert desk.run("update_node") == {"version": "2"}
    assert desk.control.asked == ["restart", "reload", "update"]


def test_a_dry_run_of_the_nodes_own_tools_asks_nothing(desk: Desk) -> None:
    desk.control.can_update = True

    for tool in ("restart_node", "reload_config", "update_node", "notify", "open_app"):
        arguments = {"notify": {"title": "a", "message": "b"}, "open_app": {"name": "x"}}.get(tool, {})
        if tool == "open_app":
            desk.node.policy = desk.node.policy.model_copy(update={"allowed_apps": {"x": ("true",)}})
        assert desk.run(tool, dry_run=True, **arguments)["would"].endswith(".")
    assert desk.control.asked == []


def test_a_result_that_cannot_travel_is_an_error_with_its_size() -> None:
    assert fitting({"a": "x" * 1000}) == {"a": "x" * 1000}
    with pytest.raises(ToolError) as refused:
        fitting({"a": "é" * 100_000})

    assert refused.value.code is ErrorCode.PAYLOAD_TOO_LARGE
    assert refused.value.body().detail == {"size": 200_008, "limit": 184_320}


@pytest.mark.parametrize("tool", TOOLS)
def test_a_call_that_nobody_waits_for_does_not_start(desk: Desk, tool: str) -> None:
    call = desk.call(tool)
    call.cancelled = cancelled()

    with pytest.raises(ToolError) as refused:
        TOOLS[tool].run(call)

    assert refused.value.code is ErrorCode.CANCELLED


def test_the_page_about_tools_names_every_tool_parameter_and_rule() -> None:
    page = (Path(__file__).parents[3] / "docs" / "tools.md").read_text(encoding="utf-8")
    rows = {
        name: row
        for row in page.splitlines()
        if row.startswith("|")
        for name in re.findall(r"`(\w+)`", row)[:2]
    }

    for name, tool in builtin.TOOLS.items():
        properties = tool.parameters["properties"]
        assert isinstance(properties, dict)
        assert all(f"`{parameter}`" in rows[name] for parameter in properties), name
        assert str(tool.risk) in rows[name], name
    for rule in LocalPolicy.model_fields:
        assert f"| `{rule}` |" in page, rule
