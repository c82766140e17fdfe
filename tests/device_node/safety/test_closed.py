"""Some things inside an allowed folder are closed: what is no file, what is another's, what is the node's own."""

import os
import socket
from pathlib import Path

import pytest

from schemas.errors import ErrorCode
from tests.device_node.tools.desk import SECRET, Desk


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
