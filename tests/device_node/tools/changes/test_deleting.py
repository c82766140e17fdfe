"""What is deleted is in the trash, however deep it was, and a link keeps what it leads to."""

import os

from device_node.tools import content
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk, tree


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
