"""A call passes when its tool is allowed, its arguments fit, and its paths are where the owner lets it."""

from typing import Any

import pytest

from device_node.safety.check import check
from device_node.safety.errors import ToolError
from device_node.safety.policy import HOST_FLAVOUR, LocalPolicy
from schemas.errors import ErrorCode
from schemas.paths import Flavour
from tests.device_node.safety.refusals import refusal
from tests.device_node.tools.desk import Desk
from tests.schemas.paths import TABLE


@pytest.mark.parametrize("row", TABLE, ids=[f"{row['flavour']}-{row['why'][:60]}" for row in TABLE])
def test_the_node_admits_what_the_table_admits_once_it_is_absolute(row: dict[str, Any]) -> None:
    flavour = Flavour(row["flavour"])
    try:
        policy = LocalPolicy.model_validate(
            {"allowed_paths": tuple(row["allowed"])}, context={"flavour": flavour}
        )
    except ValueError:
        assert row["expected"] is None  # such a policy is not even loaded
        return

    if row["expected"] is None:
        assert refusal(policy, "path_info", {"path": row["path"]}, flavour) in (
            "path_not_allowed",
            "invalid_arguments",
        )
    else:
        assert refusal(policy, "path_info", {"path": row["expected"]}, flavour) == ""


@pytest.mark.parametrize("path", ["Test", "~/Test", "~", "./Test"])
def test_the_node_takes_absolute_paths_only(desk: Desk, path: str) -> None:
    assert refusal(desk.node.policy, "path_info", {"path": path}) == ErrorCode.PATH_NOT_ALLOWED


def test_nothing_is_allowed_until_the_owner_allows_it() -> None:
    policy = LocalPolicy()

    assert refusal(policy, "list_directory", {"path": "/"}) == ErrorCode.PATH_NOT_ALLOWED
    assert refusal(policy, "open_app", {"name": "firefox"}) == ErrorCode.APP_NOT_ALLOWED
    assert refusal(policy, "run_command", {"command": "id"}) == ErrorCode.PERMISSION_DENIED
    assert refusal(policy, "restart_device", {}) == ErrorCode.PERMISSION_DENIED
    assert refusal(policy, "shutdown_device", {}) == ErrorCode.PERMISSION_DENIED
    assert refusal(policy, "brew_coffee", {}) == ErrorCode.UNKNOWN_TOOL


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("create_directory", {}),
        ("create_directory", {"path": 1}),
        ("create_directory", {"path": ""}),
        ("create_directory", {"path": "/x", "mode": 511}),
        ("create_directory", {"path": "/" + "x" * 5000}),
        ("list_directory", {"path": "/x", "limit": 0}),
        ("list_directory", {"path": "/x", "limit": 1.5}),
        ("list_directory", {"path": "/x", "limit": True}),
        ("write_file", {"path": "/x", "content": "x" * 200_000}),
        ("write_file", {"path": "/x", "content": None}),
        ("stop_process", {}),
        ("stop_process", {"pid": 5, "name": "x"}),
        ("stop_process", {"pid": 1}),
        ("service_status", {"name": "-H evil"}),
        ("service_status", {"name": "a;b"}),
        ("service_status", {"name": "a\nb"}),
    ],
)
def test_arguments_that_do_not_fit_are_refused_first(tool: str, arguments: dict[str, Any]) -> None:
    assert refusal(LocalPolicy(), tool, arguments) == ErrorCode.INVALID_ARGUMENTS


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(ToolError) as refused:
        check(LocalPolicy(), "write_file", {"path": "/x", "content": ["my password"]}, HOST_FLAVOUR)

    assert "password" not in refused.value.message


def test_both_paths_of_a_copy_are_checked(desk: Desk) -> None:
    inside, outside = desk.at("a"), str(desk.outside / "secret")

    for source, destination in ((inside, outside), (outside, inside)):
        arguments = {"source": source, "destination": destination}
        assert refusal(desk.node.policy, "copy_path", arguments) == ErrorCode.PATH_NOT_ALLOWED
