"""What a long tool says of how far it is can be believed."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from device_node.safety.policy import LocalPolicy
from device_node.tools import TOOLS, content
from device_node.tools.tool import ToolError
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk, tree

ELSEWHERE = Path("/dev/shm")  # another file system than the one of temporary files


def observed(desk: Desk, tool: str, **arguments: Any) -> list[float]:
    """The fractions that a call told."""
    told: list[float] = []
    call = desk.call(tool, **arguments)
    call.progress = told.append
    TOOLS[tool].run(call)
    return told


def believable(told: list[float], *, steps: int) -> bool:
    return len(told) >= steps and told == sorted(told) and told[0] > 0 and told[-1] < 1.0


def fill(folder: Path) -> None:
    for number in range(10):
        (folder / f"sub{number}").mkdir(parents=True)
        (folder / f"sub{number}" / "file").write_bytes(b"x" * 50_000)


@pytest.fixture
def far(desk: Desk) -> Iterator[Path]:
    """An allowed folder on another file system."""
    folder = Path(mkdtemp(dir=ELSEWHERE))
    assert folder.stat().st_dev != desk.folder.stat().st_dev, f"{ELSEWHERE} is no other file system"
    desk.node.policy = LocalPolicy.model_validate({"allowed_paths": (str(desk.folder), str(folder))})
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def test_copy_of_a_tree_tells_how_far_it_is(desk: Desk) -> None:
    fill(desk.folder / "tree")

    told = observed(desk, "copy_path", source=desk.at("tree"), destination=desk.at("copy"))

    assert believable(told, steps=20)
    assert any(0.4 < fraction < 0.6 for fraction in told)


def test_copy_of_one_large_file_tells_how_far_it_is(desk: Desk) -> None:
    with (desk.folder / "large").open("wb") as file:
        file.truncate(8 * content.CHUNK)

    told = observed(desk, "copy_path", source=desk.at("large"), destination=desk.at("copy"))

    assert believable(told, steps=8)
    assert told[3] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("tool", ["move_path", "delete_path"])
def test_move_to_another_file_system_tells_how_far_it_is(desk: Desk, far: Path, tool: str) -> None:
    fill(far / "tree")
    before = tree(far / "tree")
    where = {"source": str(far / "tree"), "destination": desk.at("tree")}

    told = observed(desk, tool, **(where if tool == "move_path" else {"path": str(far / "tree")}))

    assert believable(told, steps=40)  # copying, and then removing
    assert list(far.iterdir()) == []
    if tool == "move_path":
        assert tree(desk.folder / "tree") == before


def test_move_within_a_file_system_is_done_at_once(desk: Desk) -> None:
    fill(desk.folder / "tree")

    assert observed(desk, "move_path", source=desk.at("tree"), destination=desk.at("new")) == []


def test_search_tells_how_much_of_the_tree_is_behind_it(desk: Desk) -> None:
    fill(desk.folder / "tree")

    told = observed(desk, "search_files", path=desk.at("tree"), pattern="nothing")

    assert believable(told, steps=9)


def test_hash_of_a_large_file_tells_how_far_it_is(desk: Desk) -> None:
    with (desk.folder / "large").open("wb") as file:
        file.truncate(8 * content.CHUNK)

    told = observed(desk, "path_info", path=desk.at("large"), sha256=True)

    assert believable(told, steps=7)
    assert told[3] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("tool", ["copy_path", "move_path", "delete_path", "search_files", "path_info"])
def test_long_work_stops_when_nobody_waits_for_it(desk: Desk, far: Path, tool: str) -> None:
    fill(far / "tree")
    with (far / "large").open("wb") as file:
        file.truncate(8 * content.CHUNK)
    given: dict[str, dict[str, Any]] = {
        "copy_path": {"source": str(far / "tree"), "destination": desk.at("copy")},
        "move_path": {"source": str(far / "tree"), "destination": desk.at("copy")},
        "delete_path": {"path": str(far / "tree")},
        "search_files": {"path": str(far / "tree"), "pattern": "nothing"},
        "path_info": {"path": str(far / "large"), "sha256": True},
    }
    before = tree(far / "tree")
    call = desk.call(tool, **given[tool])
    call.progress = lambda fraction: call.cancelled.set() if fraction > 0.3 else None

    with pytest.raises(ToolError) as stopped:
        TOOLS[tool].run(call)

    assert stopped.value.code is ErrorCode.CANCELLED
    assert tree(far / "tree") == before
    assert desk.tree() == {}
