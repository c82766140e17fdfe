"""A link is followed as far as it stays inside an allowed folder, whatever the tool."""

from pathlib import Path
from typing import Any

import pytest

from device_node.safety.errors import ToolError
from device_node.safety.fence import Fence
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import SECRET, Desk

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
