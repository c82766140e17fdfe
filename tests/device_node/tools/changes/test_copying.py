"""What is copied or moved arrives whole or not at all, and replaces nothing unless asked to."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from device_node.tools import TOOLS
from device_node.tools.tool import ToolError
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk, cancelled, tree


def test_a_tree_is_copied_with_rights_and_times_and_links_stay_links(desk: Desk) -> None:
    source = desk.folder / "a"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "file").write_text("text")
    (source / "deep" / "file").chmod(0o640)
    os.utime(source / "deep" / "file", (1_000_000, 1_000_000))
    (source / "leak").symlink_to(desk.outside / "secret")

    desk.run("copy_path", source=desk.at("a"), destination=desk.at("b"))

    copied = desk.folder / "b" / "deep" / "file"
    assert tree(desk.folder / "b") == tree(source)
    assert (stat.S_IMODE(copied.stat().st_mode), copied.stat().st_mtime) == (0o640, 1_000_000)


def test_copying_never_replaces_unless_asked_and_then_the_old_is_in_the_trash(desk: Desk) -> None:
    (desk.folder / "a").write_text("a")
    (desk.folder / "b").write_text("b")

    assert desk.fails("copy_path", source=desk.at("a"), destination=desk.at("b")) == ErrorCode.ALREADY_EXISTS
    assert desk.fails("copy_path", source=desk.at("a"), destination=desk.at()) == ErrorCode.ALREADY_EXISTS
    desk.run("copy_path", "c1", source=desk.at("a"), destination=desk.at("b"), overwrite=True)
    assert desk.tree() == {"a": "a", "b": "a"}

    desk.run("undo", command_id="c1")
    assert desk.tree() == {"a": "a", "b": "b"}


def test_a_failed_copy_leaves_nothing_behind(desk: Desk) -> None:
    (desk.folder / "a").mkdir()
    (desk.folder / "a" / "1").write_text("x")
    os.mkfifo(desk.folder / "a" / "pipe")

    assert (
        desk.fails("copy_path", source=desk.at("a"), destination=desk.at("b")) == ErrorCode.PERMISSION_DENIED
    )
    assert sorted(path.name for path in desk.folder.iterdir()) == ["a"]


def test_a_cancelled_copy_leaves_nothing_behind(desk: Desk) -> None:
    (desk.folder / "a").mkdir()
    call = desk.call("copy_path", source=desk.at("a"), destination=desk.at("b"))
    call.cancelled = cancelled()

    with pytest.raises(ToolError) as refused:
        TOOLS["copy_path"].function(call)

    assert refused.value.code is ErrorCode.CANCELLED
    assert desk.tree() == {"a": "/"}


@pytest.mark.parametrize("tool", ["copy_path", "move_path"])
def test_a_source_that_is_missing_is_named(desk: Desk, tool: str) -> None:
    with pytest.raises(ToolError) as missing:
        desk.run(tool, source=desk.at("gone"), destination=desk.at("new"))

    assert missing.value.code is ErrorCode.NOT_FOUND
    assert missing.value.message == f"{desk.at('gone')} does not exist."


@pytest.mark.parametrize("tool", ["copy_path", "move_path"])
def test_a_folder_goes_neither_into_itself_nor_over_what_holds_it(desk: Desk, tool: str) -> None:
    (desk.folder / "a" / "b").mkdir(parents=True)
    before = desk.tree()

    assert desk.fails(tool, source=desk.at("a"), destination=desk.at("a", "c")) == ErrorCode.CONFLICT
    assert desk.fails(tool, source=desk.at("a"), destination=desk.at("a", "b", "c")) == ErrorCode.CONFLICT
    assert (
        desk.fails(tool, source=desk.at("a"), destination=desk.at("a"), overwrite=True) == ErrorCode.CONFLICT
    )
    assert (
        desk.fails(tool, source=desk.at("a", "b"), destination=desk.at("a"), overwrite=True)
        == ErrorCode.CONFLICT
    )
    assert desk.tree() == before


def test_moving_renames_files_folders_and_links(desk: Desk) -> None:
    (desk.folder / "a").mkdir()
    (desk.folder / "a" / "f").write_text("x")
    (desk.folder / "l").symlink_to("a")

    desk.run("move_path", source=desk.at("a", "f"), destination=desk.at("g"))
    desk.run("move_path", source=desk.at("a"), destination=desk.at("b"))
    desk.run("move_path", source=desk.at("l"), destination=desk.at("m"))

    assert desk.tree() == {"b": "/", "g": "x", "m": "-> a"}


def test_moving_onto_an_empty_folder_does_not_replace_it(desk: Desk) -> None:
    (desk.folder / "a").mkdir()
    (desk.folder / "b").mkdir()

    assert desk.fails("move_path", source=desk.at("a"), destination=desk.at("b")) == ErrorCode.ALREADY_EXISTS


def test_moving_across_file_systems_moves_everything(desk: Desk) -> None:
    other = Path("/dev/shm")
    if other.stat().st_dev == desk.folder.stat().st_dev:
        pytest.fail("a second file system is needed at /dev/shm")
    top = other / f"orion-{os.getpid()}"
    top.mkdir()
    try:
        far = Desk(top, allowed_paths=(str(top), str(desk.folder)))
        (desk.folder / "a" / "b").mkdir(parents=True)
        (desk.folder / "a" / "b" / "f").write_text("x")
        before = tree(desk.folder)

        far.run("move_path", "m", source=desk.at("a"), destination=str(top / "a"))
        assert (tree(desk.folder), tree(top / "a")) == ({}, {"b": "/", "b/f": "x"})

        far.run("undo", command_id="m")
        assert tree(desk.folder) == before

        far.run("delete_path", "d", path=desk.at("a"))
        assert tree(desk.folder) == {}
        far.run("undo", command_id="d")
        assert tree(desk.folder) == before
    finally:
        subprocess.run(["/bin/rm", "-r", str(top)], check=True)
