"""Making, writing, copying, moving and deleting, on a real disk."""

import errno
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from device_node.tools import TOOLS, content
from device_node.tools.tool import ToolError
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import SECRET, Desk, cancelled, tree


def test_a_folder_is_made_with_those_above_it(desk: Desk) -> None:
    result = desk.run("create_directory", path=desk.at("a", "b", "Tést map"))

    assert result == {"path": desk.at("a", "b", "Tést map"), "created": True, "undo": True}
    assert (desk.folder / "a" / "b" / "Tést map").is_dir()


def test_a_folder_that_exists_is_success_without_creation(desk: Desk) -> None:
    (desk.folder / "a").mkdir()

    assert desk.run("create_directory", path=desk.at("a"))["created"] is False
    assert desk.run("create_directory", path=desk.at())["created"] is False


def test_a_file_in_the_way_of_a_folder_is_left_alone(desk: Desk) -> None:
    (desk.folder / "a").write_text("x")

    assert desk.fails("create_directory", path=desk.at("a")) == ErrorCode.ALREADY_EXISTS
    assert desk.fails("create_directory", path=desk.at("a", "b")) == ErrorCode.CONFLICT
    assert desk.tree() == {"a": "x"}


def test_a_new_file_holds_the_text_and_nothing_else_appears(desk: Desk) -> None:
    result = desk.run("write_file", path=desk.at("notes.txt"), content="héllo\n")

    assert (result["bytes"], result["created"], result["undo"]) == (7, True, True)
    assert desk.tree() == {"notes.txt": "héllo\n"}


def test_an_existing_file_is_kept_unless_overwriting_was_asked(desk: Desk) -> None:
    (desk.folder / "a").write_text("old")

    assert desk.fails("write_file", path=desk.at("a"), content="new") == ErrorCode.ALREADY_EXISTS
    assert desk.tree() == {"a": "old"}

    assert desk.run("write_file", path=desk.at("a"), content="new", overwrite=True)["created"] is False
    assert desk.tree() == {"a": "new"}


def test_overwriting_keeps_the_rights_of_the_file(desk: Desk) -> None:
    file = desk.folder / "run.sh"
    file.write_text("old")
    file.chmod(0o750)

    desk.run("write_file", path=str(file), content="new", overwrite=True)

    assert stat.S_IMODE(file.stat().st_mode) == 0o750


def test_of_many_writers_that_do_not_overwrite_exactly_one_wins(desk: Desk) -> None:
    for number in range(20):
        start = threading.Barrier(4)
        won: list[str] = []

        def write(text: str, path: str, start: threading.Barrier = start, won: list[str] = won) -> None:
            start.wait()
            try:
                desk.run("write_file", path=path, content=text)
            except ToolError as error:
                assert error.code is ErrorCode.ALREADY_EXISTS  # noqa: PT017 - one of several outcomes
            else:
                won.append(text)

        path = desk.at(str(number))
        writers = [threading.Thread(target=write, args=(f"by {writer}", path)) for writer in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        assert won == [Path(path).read_text()]
    assert len(desk.tree()) == 20


def test_a_folder_is_not_written_like_a_file(desk: Desk) -> None:
    assert desk.fails("write_file", path=desk.at(), content="x") == ErrorCode.CONFLICT
    (desk.folder / "a").mkdir()
    assert desk.fails("write_file", path=desk.at("a"), content="x", overwrite=True) == ErrorCode.CONFLICT
    assert desk.fails("write_file", path=desk.at("none", "a"), content="x") == ErrorCode.NOT_FOUND


def test_a_file_too_large_for_the_system_leaves_nothing_behind(desk: Desk) -> None:
    program = """
import resource, signal, sys
from pathlib import Path
from tests.device_node.tools.desk import Desk
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
desk = Desk(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
print(desk.fails("write_file", path=desk.at("big"), content="x" * 5000), desk.tree())
"""
    top = desk.folder.parent / "limited"
    top.mkdir()
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", program, str(top)],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert ended.stdout.strip() == "payload_too_large {}"


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


def test_deleting_moves_to_the_trash_and_never_the_allowed_folder_itself(desk: Desk) -> None:
    (desk.folder / "a").mkdir()
    (desk.folder / "a" / "f").write_text("x")

    assert desk.fails("delete_path", path=desk.at()) == ErrorCode.PATH_NOT_ALLOWED
    assert desk.fails("delete_path", path=desk.at("none")) == ErrorCode.NOT_FOUND
    result = desk.run("delete_path", path=desk.at("a"))

    assert desk.tree() == {}
    assert tree(desk.node.data_dir / "trash" / result["trash"] / "content") == {"f": "x"}


def test_deleting_a_link_keeps_what_it_leads_to(desk: Desk) -> None:
    (desk.folder / "a").write_text("x")
    (desk.folder / "l").symlink_to("a")

    desk.run("delete_path", path=desk.at("l"))

    assert desk.tree() == {"a": "x"}


def test_a_very_deep_tree_is_deleted_and_purged(desk: Desk) -> None:
    top = os.open(desk.folder, os.O_RDONLY)
    os.mkdir("deep", dir_fd=top)
    fd = os.open("deep", os.O_RDONLY, dir_fd=top)
    for _ in range(1500):
        os.mkdir("d" * 50, dir_fd=fd)
        inner = os.open("d" * 50, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    os.close(top)

    assert desk.fails("copy_path", source=desk.at("deep"), destination=desk.at("c")) == ErrorCode.CONFLICT
    assert [path.name for path in desk.folder.iterdir()] == ["deep"]
    found = desk.run("search_files", path=desk.at(), pattern="ddd", limit=500)
    assert (len(found["matches"]), found["truncated"]) == (content.MAX_DEPTH, True)
    desk.run("delete_path", path=desk.at("deep"))
    with desk.node.open_data("trash") as trash:
        for entry in list((desk.node.data_dir / "trash").iterdir()):
            content.remove(trash, entry.name)
    assert list((desk.node.data_dir / "trash").iterdir()) == []


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("create_directory", {"path": "new/deep"}),
        ("write_file", {"path": "new", "content": "x"}),
        ("write_file", {"path": "file", "content": "x", "overwrite": True}),
        ("copy_path", {"source": "file", "destination": "new"}),
        ("move_path", {"source": "file", "destination": "new"}),
        ("delete_path", {"path": "file"}),
    ],
)
def test_a_dry_run_says_what_it_would_do_and_does_nothing(
    desk: Desk, tool: str, arguments: dict[str, object]
) -> None:
    (desk.folder / "file").write_text("old")
    absolute = {
        name: desk.at(value)
        if name in ("path", "source", "destination") and isinstance(value, str)
        else value
        for name, value in arguments.items()
    }

    result = desk.run(tool, dry_run=True, **absolute)

    assert result["would"].endswith(".")
    assert desk.tree() == {"file": "old"}
    assert not desk.node.data_dir.exists()


@pytest.mark.parametrize("tool", ["create_directory", "delete_path"])
def test_a_dry_run_checks_paths_like_a_real_one(desk: Desk, tool: str) -> None:
    (desk.folder / "out").symlink_to(desk.outside)

    with pytest.raises(ToolError) as refused:
        desk.run(tool, dry_run=True, path=desk.at("out", "secret"))

    assert refused.value.code is ErrorCode.PATH_NOT_ALLOWED
    assert (desk.outside / "secret").read_text() == SECRET


def test_where_hard_links_are_impossible_nothing_is_replaced_either(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)  # as FAT answers
    (desk.folder / "a").write_text("a")
    desk.run("write_file", path=desk.at("b"), content="b")
    desk.run("move_path", source=desk.at("a"), destination=desk.at("c"))
    (desk.folder / "l").symlink_to("c")
    desk.run("move_path", source=desk.at("l"), destination=desk.at("m"))

    assert desk.fails("move_path", source=desk.at("b"), destination=desk.at("c")) == ErrorCode.ALREADY_EXISTS
    assert desk.tree() == {"b": "b", "c": "a", "m": "-> c"}


@pytest.mark.parametrize("tool", ["write_file", "copy_path", "move_path"])
def test_a_closed_folder_is_permission_denied_and_stays_as_it_was(desk: Desk, tool: str) -> None:
    program = """
import sys
from pathlib import Path
from tests.device_node.tools.desk import Desk
desk = Desk(Path(sys.argv[1]))
(desk.folder / "f").write_text("f")
closed = desk.folder / "closed"
closed.mkdir()
(closed / "old").write_text("old")
if __import__("os").geteuid() == 0:
    for path in (desk.folder.parent, desk.folder, closed, closed / "old", desk.folder / "f"):
        __import__("os").chown(path, 65534, 65534)
    __import__("os").setgroups([])
    __import__("os").setegid(65534)
    __import__("os").seteuid(65534)
closed.chmod(0o555)
arguments = {"path": desk.at("closed", "new"), "content": "x"}
if sys.argv[2] != "write_file":
    arguments = {"source": desk.at("f"), "destination": desk.at("closed", "new")}
print(desk.fails(sys.argv[2], **arguments), desk.tree())
"""
    with tempfile.TemporaryDirectory() as top:
        ended = subprocess.run(
            [sys.executable, "-c", program, top, tool],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        (Path(top) / "allowed" / "closed").chmod(0o755)

    assert ended.stdout.strip() == "permission_denied {'closed': '/', 'closed/old': 'old', 'f': 'f'}", (
        ended.stderr
    )
