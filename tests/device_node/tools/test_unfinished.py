"""A move to another file system that is killed: what was moved is at one place in full, under its name."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from device_node.safety.policy import LocalPolicy
from device_node.tools import unfinished
from tests.device_node.tools.desk import Desk, tree

PROGRAM = """
import os, signal, sys
from pathlib import Path
from device_node.safety.policy import LocalPolicy
from device_node.tools import TOOLS
from device_node.tools.tool import Call, NodeContext
near, far, data, at, tool = sys.argv[1:6]
node = NodeContext(LocalPolicy.model_validate({"allowed_paths": (near, far)}), Path(data), None)
arguments = {"path": far + "/tree"}
if tool == "undo":
    arguments = {"command_id": "earlier"}
if tool == "move_path":
    arguments = {"source": far + "/tree", "destination": near + "/tree"}
call = Call("c1", tool, arguments, node)
call.progress = lambda done: os.kill(os.getpid(), signal.SIGKILL) if done >= float(at) else None
TOOLS[tool].run(call)
"""


@pytest.fixture
def far(desk: Desk) -> Iterator[Path]:
    """A tree in an allowed folder on another file system."""
    folder = Path(mkdtemp(dir="/dev/shm"))
    desk.node.policy = LocalPolicy.model_validate({"allowed_paths": (str(desk.folder), str(folder))})
    for number in range(10):
        (folder / "tree" / f"sub{number}").mkdir(parents=True)
        (folder / "tree" / f"sub{number}" / "file").write_text("x" * 50_000)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def killed_at(fraction: float, desk: Desk, far: Path, tool: str = "move_path") -> None:
    """Run the tool in a program of its own, which dies when it has come so far."""
    arguments = [str(desk.folder), str(far), str(desk.node.data_dir), str(fraction), tool]
    died = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.6])
def test_move_that_was_killed_while_it_copied_is_put_back(desk: Desk, far: Path, fraction: float) -> None:
    before = tree(far)
    killed_at(fraction, desk, far)
    assert tree(far) != before

    unfinished.recover(desk.node)

    assert tree(far) == before
    assert desk.tree() == {}
    unfinished.recover(desk.node)
    assert tree(far) == before


def test_move_that_was_killed_while_it_tidied_up_is_finished(desk: Desk, far: Path) -> None:
    before = tree(far / "tree")
    killed_at(0.97, desk, far)
    assert tree(desk.folder / "tree") == before

    unfinished.recover(desk.node)

    assert tree(desk.folder / "tree") == before
    assert list(far.iterdir()) == []


def test_deletion_that_was_killed_while_it_copied_is_put_back(desk: Desk, far: Path) -> None:
    before = tree(far)
    killed_at(0.5, desk, far, "delete_path")

    unfinished.recover(desk.node)

    assert tree(far) == before


def test_undo_of_a_deletion_that_was_killed_can_be_said_again(desk: Desk, far: Path) -> None:
    before = tree(far)
    desk.run("delete_path", "earlier", path=str(far / "tree"))
    killed_at(0.5, desk, far, "undo")
    assert tree(far) != before

    unfinished.recover(desk.node)
    desk.run("undo", command_id="earlier")

    assert tree(far) == before
    assert not list(far.glob(".orion-*"))


def test_what_took_its_place_meanwhile_is_not_touched(
    desk: Desk, far: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed_at(0.5, desk, far)
    (far / "tree").write_text("later work")

    unfinished.recover(desk.node)

    assert (far / "tree").read_text() == "later work"
    assert "could not be put back" in caplog.text
    (far / "tree").unlink()
    unfinished.recover(desk.node)
    assert (far / "tree").is_dir()


def test_move_that_ended_leaves_nothing_to_be_put_back(desk: Desk, far: Path) -> None:
    desk.run("move_path", source=str(far / "tree"), destination=desk.at("tree"))

    assert list((desk.node.data_dir / "moving").iterdir()) == []
