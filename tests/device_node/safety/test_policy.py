"""What the owner's policy allows is what its file says, and a file with a mistake in it is none."""

from pathlib import Path

import pytest

from device_node.safety.policy import LocalPolicy, PolicyError
from device_node.tools import TOOLS, offered
from schemas.devices import Risk
from schemas.errors import ErrorCode
from tests.device_node.safety.refusals import refusal


def test_the_owner_can_bound_tools_and_risk() -> None:
    policy = LocalPolicy(denied_tools=frozenset({"notify"}), max_risk=Risk.MEDIUM, allowed_paths=("/a",))

    assert refusal(policy, "notify", {"title": "x", "message": "y"}) == ErrorCode.PERMISSION_DENIED
    assert refusal(policy, "delete_path", {"path": "/a/b"}) == ErrorCode.PERMISSION_DENIED
    assert refusal(policy, "write_file", {"path": "/a/b", "content": ""}) == ""
    assert (
        refusal(policy, "write_file", {"path": "/a/b", "content": "", "overwrite": True})
        == ErrorCode.PERMISSION_DENIED
    )
    only = LocalPolicy(allowed_tools=frozenset({"system_info"}))
    assert [tool.name for tool in offered(only)] == ["system_info"]


def test_dangerous_tools_are_offered_only_when_the_owner_allows_them() -> None:
    powerful = {"run_command", "restart_device", "shutdown_device"}

    assert set(TOOLS) - {tool.name for tool in offered(LocalPolicy())} == powerful
    assert len(offered(LocalPolicy(allow_run_command=True, allow_power=True))) == len(TOOLS)


def test_a_policy_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        'allowed_paths = ["~/Documents", "/srv/share/"]\nmax_risk = "high"\nallow_power = true\n'
        '[allowed_apps]\neditor = "gedit"\nbrowser = ["firefox", "--private"]\n'
    )
    file.chmod(0o600)

    policy = LocalPolicy.load(file)

    assert policy.allowed_paths == (str(Path.home() / "Documents"), "/srv/share")
    assert policy.allowed_apps == {"editor": ("gedit",), "browser": ("firefox", "--private")}
    assert (policy.max_risk, policy.allow_power, policy.allow_run_command) == (Risk.HIGH, True, False)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('allowed_path = ["/a"]', "allowed_path"),
        ('allowed_paths = ["a/b"]', "allowed_paths"),
        ('allowed_paths = ["/a/../b"]', "allowed_paths"),
        ('allowed_paths = "/a"', "allowed_paths"),
        ("allow_run_command = 3", "allow_run_command"),
        ('max_risk = "huge"', "max_risk"),
        ('denied_tools = ["rm"]', "denied_tools"),
        ("[allowed_apps]\nx = []", "allowed_apps.x"),
        ("allowed_paths = [", "Invalid value"),
    ],
)
def test_a_wrong_rule_is_an_error_that_names_it(tmp_path: Path, text: str, key: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    file.chmod(0o600)

    with pytest.raises(PolicyError, match=key) as refused:
        LocalPolicy.load(file)

    assert str(file) in str(refused.value)


def test_without_a_policy_file_nothing_is_allowed(tmp_path: Path) -> None:
    assert LocalPolicy.load(tmp_path / "none.toml") == LocalPolicy()


def test_a_policy_that_anybody_may_write_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("")
    file.chmod(0o666)

    with pytest.raises(PolicyError, match="chmod"):
        LocalPolicy.load(file)
