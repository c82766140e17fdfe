"""The device's own check: the owner's policy, the shared table of paths, and what links lead to."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from device_node.safety.check import check
from device_node.safety.errors import ToolError
from device_node.safety.fence import Fence
from device_node.safety.policy import HOST_FLAVOUR, LocalPolicy, PolicyError
from device_node.tools import TOOLS, offered
from schemas.devices import Risk
from schemas.errors import ErrorCode
from schemas.paths import Flavour
from tests.device_node.tools.desk import SECRET, Desk

TABLE: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "schemas" / "paths.json").read_text(encoding="utf-8")
)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def refusal(
    policy: LocalPolicy, tool: str, arguments: dict[str, Any], flavour: Flavour = HOST_FLAVOUR
) -> str:
    """The code that the check refuses with, empty when the call passes."""
    try:
        check(policy, tool, arguments, flavour)
    except ToolError as error:
        return error.code
    return ""


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


READING = [("read_file", "path"), ("list_directory", "path"), ("path_info", "path"), ("disk_usage", "path")]
EVERY_USE: list[tuple[str, str, dict[str, Any]]] = [
    *((tool, name, {}) for tool, name in READING),
    ("search_files", "path", {"pattern": "s"}),
    ("create_directory", "path", {}),
    ("write_file", "path", {"content": "x", "overwrite": True}),
    ("copy_path", "source", {"destination": "new"}),
    ("copy_path", "destination", {"source": "mine", "overwrite": True}),
    ("move_path", "source", {"destination": "new"}),
    ("move_path", "destination", {"source": "mine", "overwrite": True}),
    ("delete_path", "path", {}),
]


@pytest.mark.parametrize(("tool", "name", "others"), EVERY_USE)
@pytest.mark.parametrize(
    ("link", "target", "path"),
    [
        ("l", "../outside", "l/secret"),
        ("l", "../outside/secret", "l"),
        ("l", "{outside}", "l/secret"),
        ("l", "{outside}/secret", "l"),
        ("l", "../outside", "l"),
        ("l", "../outside/new", "l"),
        ("l", "..", "l/outside/secret"),
        ("l", "/", "l/etc/passwd"),
        ("l", "/proc/self/root/etc", "l/passwd"),
        ("l", "./sub/../../outside", "l/secret"),
        ("l", "l", "l"),
        ("l", "l", "l/x"),
    ],
)
def test_a_link_out_of_the_allowed_folder_is_refused_whatever_the_tool(
    desk: Desk, tool: str, name: str, others: dict[str, Any], link: str, target: str, path: str
) -> None:
    (desk.folder / "sub").mkdir()
    (desk.folder / "mine").write_text("mine")
    (desk.folder / link).symlink_to(target.format(outside=desk.outside))
    before = desk.tree()
    arguments = {
        key: desk.at(value) if key in ("source", "destination") else value for key, value in others.items()
    }

    assert desk.fails(tool, **arguments, **{name: desk.at(path)}) == ErrorCode.PATH_NOT_ALLOWED

    assert desk.untouched_outside()
    assert desk.tree() == before


@pytest.mark.parametrize("target", ["real", "./real", "{folder}/real", "../allowed/real", "hop"])
def test_a_link_that_stays_inside_works(desk: Desk, target: str) -> None:
    (desk.folder / "real").mkdir()
    (desk.folder / "real" / "f").write_text("x")
    (desk.folder / "hop").symlink_to("real")
    (desk.folder / "l").symlink_to(target.format(folder=desk.folder))

    assert desk.run("read_file", path=desk.at("l", "f"))["content"] == "x"
    desk.run("write_file", path=desk.at("l", "g"), content="y")
    assert (desk.folder / "real" / "g").read_text() == "y"
    assert desk.run("list_directory", path=desk.at("l"))["total"] == 2


def test_a_link_into_another_allowed_folder_works(tmp_path: Path) -> None:
    desk = Desk(tmp_path, allowed_paths=(str(tmp_path / "allowed"), str(tmp_path / "outside")))
    (desk.folder / "l").symlink_to("../outside")

    assert desk.run("read_file", path=desk.at("l", "secret"))["content"] == SECRET


def test_writing_through_a_link_changes_what_it_leads_to(desk: Desk) -> None:
    (desk.folder / "real").write_text("old")
    (desk.folder / "l").symlink_to("real")

    desk.run("write_file", path=desk.at("l"), content="new", overwrite=True)

    assert desk.tree() == {"l": "-> real", "real": "new"}


def test_a_chain_of_forty_links_is_followed_and_no_longer_one(desk: Desk) -> None:
    (desk.folder / "0").write_text("x")
    for number in range(1, 42):
        (desk.folder / str(number)).symlink_to(str(number - 1))

    assert desk.run("read_file", path=desk.at("40"))["content"] == "x"
    assert desk.fails("read_file", path=desk.at("41")) == ErrorCode.PATH_NOT_ALLOWED


def test_an_allowed_folder_given_through_a_link_works_under_both_names(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "a").mkdir(parents=True)
    (tmp_path / "short").symlink_to("real")
    top = tmp_path / "top"
    top.mkdir()
    desk = Desk(top, allowed_paths=(str(tmp_path / "short"),))

    desk.run("write_file", path=str(tmp_path / "short" / "a" / "f"), content="x")
    assert desk.run("read_file", path=str(real / "a" / "f"))["content"] == "x"


def test_an_allowed_folder_swapped_for_a_link_after_loading_is_refused(desk: Desk) -> None:
    desk.folder.rename(desk.folder.with_name("gone"))
    desk.folder.symlink_to(desk.outside)

    assert desk.fails("read_file", path=desk.at("secret")) == ErrorCode.PATH_NOT_ALLOWED


def test_special_files_are_refused_and_nothing_waits_for_them(desk: Desk) -> None:
    os.mkfifo(desk.folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(desk.at("socket"))
        (desk.folder / "null").symlink_to("/dev/null")

        for name in ("pipe", "socket"):
            for tool, extra in (
                ("read_file", {}),
                ("delete_path", {}),
                ("write_file", {"content": "", "overwrite": True}),
            ):
                assert desk.fails(tool, path=desk.at(name), **extra) == ErrorCode.PERMISSION_DENIED
            for tool in ("copy_path", "move_path"):
                code = desk.fails(tool, source=desk.at(name), destination=desk.at("new"))
                assert code == ErrorCode.PERMISSION_DENIED
        assert desk.fails("read_file", path=desk.at("null")) == ErrorCode.PATH_NOT_ALLOWED


def test_hard_links_to_files_of_another_owner_are_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = desk.outside / "foreign"
    foreign.write_text(SECRET)
    if os.geteuid() == 0:
        os.chown(foreign, 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)  # who cannot give a file away is somebody else
    os.link(foreign, desk.folder / "link")

    for tool, extra in (
        ("read_file", {}),
        ("path_info", {"sha256": True}),
        ("write_file", {"content": "x", "overwrite": True}),
        ("delete_path", {}),
    ):
        assert desk.fails(tool, path=desk.at("link"), **extra) == ErrorCode.PATH_NOT_ALLOWED
    for tool in ("copy_path", "move_path"):
        assert (
            desk.fails(tool, source=desk.at("link"), destination=desk.at("new")) == ErrorCode.PATH_NOT_ALLOWED
        )
    assert foreign.read_text() == SECRET


def test_what_belongs_to_the_node_is_closed_also_inside_an_allowed_folder(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    home = desk.folder / "home"
    desk.node.data_dir = home / "orion"
    policy_file = desk.folder / "policy.toml"
    desk.node.own = (policy_file,)
    desk.node.data_dir.mkdir(parents=True)
    (desk.node.data_dir / "key").write_text(SECRET)
    policy_file.write_text("")
    (desk.folder / "l").symlink_to("home/orion")
    before = desk.tree()

    for path in (desk.at("home", "orion", "key"), desk.at("l", "key"), desk.at("policy.toml")):
        assert desk.fails("read_file", path=path) == ErrorCode.PATH_NOT_ALLOWED
        assert desk.fails("write_file", path=path, content="x", overwrite=True) == ErrorCode.PATH_NOT_ALLOWED
        assert desk.fails("delete_path", path=path) == ErrorCode.PATH_NOT_ALLOWED
    for path in (desk.at("home"), desk.at("home", "orion")):
        assert desk.fails("delete_path", path=path) == ErrorCode.PATH_NOT_ALLOWED
        assert desk.fails("move_path", source=path, destination=desk.at("new")) == ErrorCode.PATH_NOT_ALLOWED
        assert desk.fails("copy_path", source=path, destination=desk.at("new")) == ErrorCode.PATH_NOT_ALLOWED
    assert desk.fails("copy_path", source=desk.at("l"), destination=desk.at("home"), overwrite=True) == (
        ErrorCode.PATH_NOT_ALLOWED
    )
    assert desk.run("search_files", path=desk.at(), pattern="key")["matches"] == []
    assert desk.tree() == before


def test_a_policy_file_that_does_not_exist_yet_cannot_be_made_by_a_tool(desk: Desk) -> None:
    desk.node.own = (desk.folder / "Policy.toml",)

    assert desk.fails("write_file", path=desk.at("Policy.toml"), content="") == ErrorCode.PATH_NOT_ALLOWED


SWAPPER = """
import ctypes, os, sys, threading
folder, outside = sys.argv[1:]
os.chdir(folder)
told = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), told.set()), daemon=True).start()
exchange = ctypes.CDLL(None).renameat2  # both names at once: there is no moment without either
os.symlink(outside, "dir.link")
rounds = 0
print("ready", flush=True)
while rounds < 10_000 or not told.is_set():
    rounds += 1
    if not os.path.islink("file.link"):  # a write took its place
        if os.path.lexists("file.link"):
            os.unlink("file.link")
        os.symlink(outside + "/secret", "file.link")
    for _ in range(2):
        for name in (b"dir", b"file"):
            exchange(-100, name, -100, name + b".link", 2)
print(rounds)
"""


def test_ten_thousand_swaps_for_a_link_let_nothing_escape(desk: Desk) -> None:
    (desk.folder / "dir").mkdir()
    for name in ("dir/secret", "file"):
        (desk.folder / name).write_text("mine")
    uses: list[tuple[str, dict[str, Any]]] = [
        ("read_file", {"path": desk.at("dir", "secret")}),
        ("read_file", {"path": desk.at("file")}),
        ("create_directory", {"path": desk.at("dir", "made", "deep")}),
        ("list_directory", {"path": desk.at("dir")}),
        ("path_info", {"path": desk.at("dir", "secret"), "sha256": True}),
        ("write_file", {"path": desk.at("dir", "secret"), "content": "mine", "overwrite": True}),
        ("write_file", {"path": desk.at("file"), "content": "mine", "overwrite": True}),
        ("copy_path", {"source": desk.at("dir", "secret"), "destination": desk.at("dir", "copy")}),
        ("move_path", {"source": desk.at("dir", "copy"), "destination": desk.at("dir", "moved")}),
        ("delete_path", {"path": desk.at("dir", "moved")}),
        ("delete_path", {"path": desk.at("dir", "made")}),
    ]
    outcomes: dict[str, int] = {}
    read: set[str] = set()
    with subprocess.Popen(
        [sys.executable, "-c", SWAPPER, str(desk.folder), str(desk.outside)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as swapper:
        assert swapper.stdout is not None
        assert swapper.stdout.readline() == "ready\n"
        for tool, arguments in uses * 300:
            try:
                result = desk.run(tool, **arguments)
            except ToolError as error:
                outcomes[error.code] = outcomes.get(error.code, 0) + 1
            else:
                outcomes["done"] = outcomes.get("done", 0) + 1
                read |= {result["content"]} if tool == "read_file" else set()
        assert swapper.stdin is not None
        swapper.stdin.close()
        rounds = int(swapper.stdout.read())

    assert rounds >= 10_000
    assert read <= {"mine", ""}
    assert SECRET not in desk.tree().values()
    assert desk.untouched_outside()
    # the race was real: some uses met the folder and some met the link
    assert outcomes["done"] > 0
    assert outcomes[ErrorCode.PATH_NOT_ALLOWED] > 0
    assert set(outcomes) <= {"done", "path_not_allowed", "not_found", "already_exists", "conflict"}


def test_no_descriptor_stays_open(desk: Desk) -> None:
    (desk.folder / "l").symlink_to("../outside")
    open_before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(20):
        desk.run("create_directory", path=desk.at("a", "b"))
        desk.run("write_file", path=desk.at("a", "f"), content="x", overwrite=True)
        desk.fails("read_file", path=desk.at("l", "secret"))
        desk.fails("read_file", path=desk.at("none"))
        desk.run("copy_path", source=desk.at("a"), destination=desk.at("c"))
        desk.run("delete_path", path=desk.at("c"))

    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_where_there_are_no_descriptors_links_are_judged_too(desk: Desk) -> None:
    (desk.folder / "sub").mkdir()
    (desk.folder / "sub" / "f").write_text("x")
    (desk.folder / "in").symlink_to("sub")
    (desk.folder / "out").symlink_to(desk.outside)
    fence = Fence(desk.node.policy, (desk.node.data_dir,), by_path=True)

    with fence.locate(desk.at("in", "f")) as place:
        assert place.lstat().st_size == 1
        (desk.folder / "sub").rename(desk.folder / "moved")
        (desk.folder / "sub").symlink_to(desk.outside)
        with pytest.raises(OSError, match="symbolic"):
            place.folder.lstat("f")
    for path in (desk.at("out"), desk.at("out", "secret"), desk.at("out", "new")):
        with pytest.raises(ToolError, match="outside"), fence.locate(path):
            pass
