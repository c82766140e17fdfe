"""What a command changed comes back: once, after a restart too, and never over later work."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from device_node.tools import TOOLS, trash
from device_node.tools.tool import NodeContext, ToolError
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk

CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("create_directory", {"path": "new"}),
    ("create_directory", {"path": "new/deep/er"}),
    ("write_file", {"path": "new", "content": "x"}),
    ("write_file", {"path": "file", "content": "x", "overwrite": True}),
    ("copy_path", {"source": "file", "destination": "new"}),
    ("copy_path", {"source": "folder", "destination": "new"}),
    ("copy_path", {"source": "folder", "destination": "file", "overwrite": True}),
    ("move_path", {"source": "file", "destination": "new"}),
    ("move_path", {"source": "folder", "destination": "new"}),
    ("move_path", {"source": "file", "destination": "folder", "overwrite": True}),
    ("delete_path", {"path": "file"}),
    ("delete_path", {"path": "folder"}),
]


def filled(desk: Desk) -> dict[str, str]:
    (desk.folder / "file").write_text("old")
    (desk.folder / "folder").mkdir()
    (desk.folder / "folder" / "inner").write_text("inner")
    return desk.tree()


def change(desk: Desk, tool: str, arguments: dict[str, Any], command_id: str = "c1") -> dict[str, Any]:
    absolute: dict[str, Any] = {
        name: desk.at(value) if name in ("path", "source", "destination") else value
        for name, value in arguments.items()
    }
    return desk.run(tool, command_id, **absolute)


@pytest.mark.parametrize(("tool", "arguments"), CHANGES)
def test_a_change_is_undone_once(desk: Desk, tool: str, arguments: dict[str, Any]) -> None:
    before = filled(desk)

    assert change(desk, tool, arguments)["undo"] is True
    assert desk.tree() != before
    assert desk.run("undo", command_id="c1")["tool"] == tool

    assert desk.tree() == before
    assert desk.fails("undo", command_id="c1") == ErrorCode.CONFLICT
    assert desk.tree() == before


def test_undo_works_after_a_restart(desk: Desk) -> None:
    before = filled(desk)
    change(desk, "delete_path", {"path": "folder"})

    desk.node = NodeContext(desk.node.policy, desk.node.data_dir, desk.control)
    desk.run("undo", command_id="c1")

    assert desk.tree() == before


def test_a_dry_run_of_undo_says_what_would_come_back(desk: Desk) -> None:
    filled(desk)
    change(desk, "delete_path", {"path": "file"})
    after = desk.tree()

    result = desk.run("undo", dry_run=True, command_id="c1")

    assert desk.at("file") in result["would"]
    assert desk.tree() == after
    desk.run("undo", command_id="c1")


def test_a_command_that_changed_nothing_cannot_be_undone(desk: Desk) -> None:
    filled(desk)
    change(desk, "create_directory", {"path": "folder"})

    assert desk.fails("undo", command_id="c1") == ErrorCode.NOT_FOUND
    assert desk.fails("undo", command_id="../../etc/passwd") == ErrorCode.NOT_FOUND


def test_a_folder_that_holds_something_now_is_not_removed(desk: Desk) -> None:
    change(desk, "create_directory", {"path": "new/deep"})
    (desk.folder / "new" / "work").write_text("mine")

    assert desk.fails("undo", command_id="c1") == ErrorCode.CONFLICT
    assert desk.tree() == {"new": "/", "new/work": "mine"}

    (desk.folder / "new" / "work").unlink()
    desk.run("undo", command_id="c1")
    assert desk.tree() == {}


@pytest.mark.parametrize("tool", ["write_file", "copy_path", "move_path"])
def test_what_was_changed_since_stays(desk: Desk, tool: str) -> None:
    filled(desk)
    arguments = {
        "write_file": {"path": "new", "content": "x"},
        "copy_path": {"source": "file", "destination": "new"},
        "move_path": {"source": "file", "destination": "new"},
    }[tool]
    change(desk, tool, arguments)
    (desk.folder / "new").write_text("later work")

    assert desk.fails("undo", command_id="c1") == ErrorCode.CONFLICT
    assert (desk.folder / "new").read_text() == "later work"


@pytest.mark.parametrize("tool", ["delete_path", "move_path"])
def test_what_stands_in_the_way_stays_and_undo_can_be_tried_again(desk: Desk, tool: str) -> None:
    before = filled(desk)
    change(
        desk, tool, {"path": "file"} if tool == "delete_path" else {"source": "file", "destination": "new"}
    )
    (desk.folder / "file").write_text("later work")

    assert desk.fails("undo", command_id="c1") == ErrorCode.CONFLICT
    assert (desk.folder / "file").read_text() == "later work"

    (desk.folder / "file").unlink()
    desk.run("undo", command_id="c1")
    assert desk.tree() == before


def test_undo_is_bound_by_the_policy_of_now(desk: Desk, tmp_path: Path) -> None:
    filled(desk)
    change(desk, "delete_path", {"path": "file"})
    desk.node.policy = desk.node.policy.model_validate({"allowed_paths": (str(tmp_path / "outside"),)})

    assert desk.fails("undo", command_id="c1") == ErrorCode.PATH_NOT_ALLOWED
    assert "file" not in desk.tree()


def test_undo_does_not_follow_a_link_that_came_since(desk: Desk) -> None:
    filled(desk)
    change(desk, "delete_path", {"path": "folder/inner"})
    (desk.folder / "folder").rmdir()
    (desk.folder / "folder").symlink_to(desk.outside)

    assert desk.fails("undo", command_id="c1") == ErrorCode.PATH_NOT_ALLOWED
    assert desk.untouched_outside()


def test_of_two_that_undo_at_once_one_does(desk: Desk) -> None:
    before = filled(desk)
    change(desk, "delete_path", {"path": "folder"})
    start = threading.Barrier(4)
    outcomes: list[str] = []

    def put_back() -> None:
        start.wait()
        try:
            TOOLS["undo"].run(desk.call("undo", command_id="c1"))
            outcomes.append("done")
        except ToolError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=put_back) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["conflict"] * 3 + ["done"]
    assert desk.tree() == before


def test_an_undo_that_was_cut_off_can_be_finished(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = filled(desk)
    change(desk, "copy_path", {"source": "folder", "destination": "file", "overwrite": True})

    def dies(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        # the program is killed between the two steps: nothing is tidied up
        patched.setattr(trash, "restore", dies)
        patched.setattr(Path, "rename", _only_taking)
        with pytest.raises(SystemExit):
            desk.run("undo", command_id="c1")
    assert "file" not in desk.tree()
    assert desk.fails("undo", command_id="c2") == ErrorCode.NOT_FOUND
    desk.node = NodeContext(desk.node.policy, desk.node.data_dir, desk.control)

    desk.run("undo", command_id="c1")

    assert desk.tree() == before
    assert desk.fails("undo", command_id="c1") == ErrorCode.CONFLICT


_rename = Path.rename


def _only_taking(self: Path, target: Path) -> Path:
    """What a killed program would still have renamed."""
    return target if self.suffix == ".taken" and target.suffix == ".json" else _rename(self, target)


def test_a_change_whose_undo_cannot_be_kept_says_so(desk: Desk) -> None:
    desk.node.data_dir.mkdir()
    (desk.node.data_dir / "undo").write_text("in the way")

    assert change(desk, "create_directory", {"path": "new"}) == {
        "path": desk.at("new"),
        "created": True,
        "undo": False,
        "undo_note": "How to undo it could not be kept: File exists.",
    }


def test_the_trash_is_emptied_after_thirty_days(desk: Desk) -> None:
    filled(desk)
    entry = change(desk, "delete_path", {"path": "folder"})["trash"]
    now = datetime.now(UTC)

    assert trash.purge(desk.node, now + timedelta(days=29)) == 0
    assert trash.holds(desk.node, entry)
    assert trash.purge(desk.node, now + timedelta(days=31)) == 1
    assert not trash.holds(desk.node, entry)
    assert desk.fails("undo", command_id="c1") == ErrorCode.NOT_FOUND


def test_emptying_the_trash_follows_no_link_out_of_it(desk: Desk) -> None:
    (desk.folder / "a").mkdir()
    (desk.folder / "a" / "out").symlink_to(desk.outside)
    change(desk, "delete_path", {"path": "a"})

    trash.purge(desk.node, datetime.now(UTC) + timedelta(days=31))

    assert desk.untouched_outside()
    assert list((desk.node.data_dir / "trash").iterdir()) == []


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("write_file", {"path": "new", "content": "second", "overwrite": True}),
        ("delete_path", {"path": "new"}),
    ],
)
def test_changes_of_one_file_are_undone_from_the_last_to_the_first(
    desk: Desk, tool: str, arguments: dict[str, Any]
) -> None:
    before = filled(desk)
    change(desk, "write_file", {"path": "new", "content": "first"}, "c1")
    change(desk, tool, arguments, "c2")

    desk.run("undo", command_id="c2")
    assert (desk.folder / "new").read_text() == "first"
    desk.run("undo", command_id="c1")

    assert desk.tree() == before


def test_an_undo_says_what_it_did_and_a_dry_run_what_it_would_do(desk: Desk) -> None:
    change(desk, "create_directory", {"path": "new"})

    assert (
        desk.run("undo", dry_run=True, command_id="c1")["would"] == f"Remove {desk.at('new')} if it is empty."
    )
    assert desk.run("undo", command_id="c1")["done"] == [f"Removed {desk.at('new')}."]
