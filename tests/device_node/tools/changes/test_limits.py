"""What the disk does not allow changes nothing and leaves nothing behind."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk


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
    root = Path(__file__).parents[4]
    ended = subprocess.run(
        [sys.executable, "-c", program, str(top)],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert ended.stdout.strip() == "payload_too_large {}"


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
            cwd=Path(__file__).parents[4],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        (Path(top) / "allowed" / "closed").chmod(0o755)

    assert ended.stdout.strip() == "permission_denied {'closed': '/', 'closed/old': 'old', 'f': 'f'}", (
        ended.stderr
    )
