"""A folder or a file is made, and what is there is kept unless overwriting was asked for."""

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from device_node.tools.tool import ToolError
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk


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


def written(desk: Desk, path: str, start: threading.Barrier, text: str) -> ErrorCode | None:
    """Write once all have come to this point; why not, if not."""
    start.wait()
    try:
        desk.run("write_file", path=path, content=text)
    except ToolError as error:
        return error.code
    return None


def test_of_many_writers_that_do_not_overwrite_exactly_one_wins(desk: Desk) -> None:
    texts = [f"by {writer}" for writer in range(4)]
    with ThreadPoolExecutor(len(texts)) as pool:
        for number in range(20):
            path = desk.at(str(number))
            write = partial(written, desk, path, threading.Barrier(len(texts)))

            refused = dict(zip(texts, pool.map(write, texts), strict=True))

            won = Path(path).read_text()
            assert refused == {text: None if text == won else ErrorCode.ALREADY_EXISTS for text in texts}
    assert len(desk.tree()) == 20


def test_a_folder_is_not_written_like_a_file(desk: Desk) -> None:
    assert desk.fails("write_file", path=desk.at(), content="x") == ErrorCode.CONFLICT
    (desk.folder / "a").mkdir()
    assert desk.fails("write_file", path=desk.at("a"), content="x", overwrite=True) == ErrorCode.CONFLICT
    assert desk.fails("write_file", path=desk.at("none", "a"), content="x") == ErrorCode.NOT_FOUND
