"""A dry run says what would be done, in paths and sizes, and does nothing."""

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from device_node.tools import TOOLS, extent
from device_node.tools.tool import ToolError
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk, tree

# arguments of one call of each tool that changes something
CALLS: dict[str, dict[str, Any]] = {
    "create_directory": {"path": "new/deep"},
    "write_file": {"path": "file", "content": "newer", "overwrite": True},
    "copy_path": {"source": "folder", "destination": "file", "overwrite": True},
    "move_path": {"source": "file", "destination": "folder", "overwrite": True},
    "delete_path": {"path": "folder"},
    "open_app": {"name": "napper"},
    "close_app": {"name": "napper"},
    "stop_process": {},
    "notify": {"title": "a", "message": "b"},
    "run_command": {"command": "touch ran"},
    "restart_device": {},
    "shutdown_device": {},
    "restart_node": {},
    "reload_config": {},
    "update_node": {},
    "undo": {"command_id": "earlier"},
}
UNDOABLE = {
    *("create_directory", "write_file", "copy_path", "move_path", "delete_path", "open_app"),
    *("restart_device", "shutdown_device"),
}


@pytest.fixture
def furnished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with files, an application, and a command that can be undone."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("systemctl", "shutdown"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    desk = Desk(tmp_path, allow_run_command=True, allow_power=True, allowed_apps={"napper": ("sleep", "97")})
    desk.control.can_update = True
    (desk.folder / "file").write_text("old")
    (desk.folder / "folder" / "inner").mkdir(parents=True)
    (desk.folder / "folder" / "a").write_text("12345")
    (desk.folder / "folder" / "inner" / "b").write_text("678")
    (desk.folder / "gone").write_text("x")
    desk.run("delete_path", "earlier", path=desk.at("gone"))
    return desk


def absolute(desk: Desk, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        name: desk.at(value) if name in ("path", "source", "destination") else value
        for name, value in arguments.items()
    }


@pytest.mark.parametrize("tool", [name for name, tool in TOOLS.items() if not tool.spec.hints.read_only])
def test_a_dry_run_of_every_tool_changes_nothing(furnished: Desk, tool: str, tmp_path: Path) -> None:
    with psutil.Popen(["sleep", "97"]) as napper:
        try:
            arguments = {"pid": napper.pid} if tool == "stop_process" else absolute(furnished, CALLS[tool])
            before, running = stamped(tmp_path), set(psutil.pids())

            result = furnished.run(tool, dry_run=True, **arguments)

            assert result["would"].endswith(".")
            assert result["undo"] is (tool in UNDOABLE)
            assert stamped(tmp_path) == before
            assert furnished.control.asked == []
            assert furnished.node.power.timer is None
            assert napper.is_running()
            assert not {pid for pid in set(psutil.pids()) - running if _is_ours(pid)}
        finally:
            napper.kill()


def test_a_dry_run_says_how_much_and_what_it_replaces(furnished: Desk) -> None:
    result = furnished.run("copy_path", dry_run=True, **absolute(furnished, CALLS["copy_path"]))

    assert result["size"] == {"files": 2, "folders": 2, "bytes": 8}
    assert result["would"].startswith(
        f"Copy {furnished.at('folder')} (2 folders with 2 files, 8 bytes) to {furnished.at('file')}; "
    )
    there = result["replaces"]
    assert (there["path"], there["type"], there["size"]) == (furnished.at("file"), "file", 3)
    assert there["modified"] in result["would"]

    result = furnished.run("move_path", dry_run=True, **absolute(furnished, CALLS["move_path"]))
    assert result["size"] == {"files": 1, "folders": 0, "bytes": 3}
    assert (result["replaces"]["type"], result["replaces"]["files"]) == ("directory", 2)

    result = furnished.run("write_file", dry_run=True, **absolute(furnished, CALLS["write_file"]))
    assert (result["bytes"], result["replaces"]["size"]) == (5, 3)

    result = furnished.run("delete_path", dry_run=True, path=furnished.at("folder"))
    assert result["size"]["bytes"] == 8
    assert "2 files, 8 bytes" in result["would"]

    result = furnished.run("create_directory", dry_run=True, path=furnished.at("new", "deep"))
    assert result["creates"] == [furnished.at("new"), furnished.at("new", "deep")]


def test_a_large_tree_is_said_to_be_at_least_so_large(
    furnished: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extent, "MOST_SEEN", 3)

    result = furnished.run("delete_path", dry_run=True, path=furnished.at("folder"))

    assert result["size"]["at_least"] is True
    assert "at least" in result["would"]


def test_a_dry_run_of_a_copy_finds_what_cannot_be_copied(furnished: Desk) -> None:
    os.mkfifo(furnished.at("folder", "inner", "pipe"))

    with pytest.raises(ToolError) as refused:
        furnished.run(
            "copy_path", dry_run=True, source=furnished.at("folder"), destination=furnished.at("new")
        )

    assert refused.value.code is ErrorCode.PERMISSION_DENIED
    result = furnished.run("delete_path", dry_run=True, path=furnished.at("folder"))
    assert result["size"]["files"] == 3  # it can be moved to the trash all the same


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("create_directory", {"path": "new/deep"}),
        ("write_file", {"path": "new", "content": "x"}),
        ("write_file", {"path": "file", "content": "x", "overwrite": True}),
        ("copy_path", {"source": "folder", "destination": "file", "overwrite": True}),
        ("move_path", {"source": "file", "destination": "folder", "overwrite": True}),
        ("delete_path", {"path": "folder"}),
    ],
)
def test_a_dry_run_of_undo_promises_what_undo_then_does(
    furnished: Desk, tool: str, arguments: dict[str, Any]
) -> None:
    furnished.run(tool, "c1", **absolute(furnished, arguments))
    after = furnished.tree()

    assert furnished.run("undo", dry_run=True, command_id="c1")["tool"] == tool

    assert furnished.tree() == after
    furnished.run("undo", command_id="c1")


@pytest.mark.parametrize(
    ("tool", "arguments", "spoiled"),
    [
        ("create_directory", {"path": "new"}, "new/work"),
        ("write_file", {"path": "new", "content": "x"}, "new"),
        ("copy_path", {"source": "file", "destination": "new"}, "new"),
        ("move_path", {"source": "file", "destination": "new"}, "file"),
        ("delete_path", {"path": "file"}, "file"),
    ],
)
def test_a_dry_run_of_undo_refuses_what_undo_would_refuse(
    furnished: Desk, tool: str, arguments: dict[str, Any], spoiled: str
) -> None:
    furnished.run(tool, "c1", **absolute(furnished, arguments))
    (furnished.folder / spoiled).write_text("later work")
    after = tree(furnished.folder)

    for dry_run in (True, False):
        with pytest.raises(ToolError) as refused:
            furnished.run("undo", dry_run=dry_run, command_id="c1")
        assert refused.value.code is ErrorCode.CONFLICT
    assert tree(furnished.folder) == after


def test_a_dry_run_of_undo_knows_what_has_ended(furnished: Desk) -> None:
    planned = furnished.run("shutdown_device", "c1")
    assert planned["undo"] is True
    assert furnished.run("undo", dry_run=True, command_id="c1")["would"]
    furnished.run("undo", command_id="c1")
    opened = furnished.run("open_app", "c2", name="napper")
    assert furnished.run("undo", dry_run=True, command_id="c2")["would"] == "Close napper."
    process = psutil.Process(opened["pid"])
    process.kill()
    process.wait(5)

    with pytest.raises(ToolError) as refused:
        furnished.run("undo", dry_run=True, command_id="c2")

    assert refused.value.code is ErrorCode.CONFLICT


def stamped(top: Path) -> dict[str, tuple[int, ...]]:
    """Everything below a folder, with what changes when it is changed."""
    return {
        str(path): (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        for path in sorted(top.rglob("*"))
        if (info := path.lstat())
    }


def _is_ours(pid: int) -> bool:
    try:
        return psutil.Process(pid).ppid() == os.getpid()
    except psutil.Error:
        return False
