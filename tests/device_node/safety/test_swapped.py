"""Nothing escapes while somebody swaps folders for links, and no folder is held open."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from device_node.safety.errors import ToolError
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import SECRET, Desk

SWAPPER = """
import ctypes, os, sys, threading
folder, outside = sys.argv[1:]
os.chdir(folder)
told = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), told.set()), daemon=True).start()
exchange = ctypes.CDLL(None).renameat2  # both names at once: there is no moment without either
os.symlink(outside, "dir.link")
rounds = 0
print("ready", flush=True)
while rounds < 10_000 or not told.is_set():
    rounds += 1
    if not os.path.islink("file.link"):  # a write took its place
        if os.path.lexists("file.link"):
            os.unlink("file.link")
        os.symlink(outside + "/secret", "file.link")
    for _ in range(2):
        for name in (b"dir", b"file"):
            exchange(-100, name, -100, name + b".link", 2)
print(rounds)
"""


def test_ten_thousand_swaps_for_a_link_let_nothing_escape(desk: Desk) -> None:
    (desk.folder / "dir").mkdir()
    for name in ("dir/secret", "file"):
        (desk.folder / name).write_text("mine")
    uses: list[tuple[str, dict[str, Any]]] = [
        ("read_file", {"path": desk.at("dir", "secret")}),
        ("read_file", {"path": desk.at("file")}),
        ("create_directory", {"path": desk.at("dir", "made", "deep")}),
        ("list_directory", {"path": desk.at("dir")}),
        ("path_info", {"path": desk.at("dir", "secret"), "sha256": True}),
        ("write_file", {"path": desk.at("dir", "secret"), "content": "mine", "overwrite": True}),
        ("write_file", {"path": desk.at("file"), "content": "mine", "overwrite": True}),
        ("copy_path", {"source": desk.at("dir", "secret"), "destination": desk.at("dir", "copy")}),
        ("move_path", {"source": desk.at("dir", "copy"), "destination": desk.at("dir", "moved")}),
        ("delete_path", {"path": desk.at("dir", "moved")}),
        ("delete_path", {"path": desk.at("dir", "made")}),
    ]
    outcomes: dict[str, int] = {}
    read: set[str] = set()
    with subprocess.Popen(
        [sys.executable, "-c", SWAPPER, str(desk.folder), str(desk.outside)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as swapper:
        assert swapper.stdout is not None
        assert swapper.stdout.readline() == "ready\n"
        for tool, arguments in uses * 300:
            try:
                result = desk.run(tool, **arguments)
            except ToolError as error:
                outcomes[error.code] = outcomes.get(error.code, 0) + 1
            else:
                outcomes["done"] = outcomes.get("done", 0) + 1
                read |= {result["content"]} if tool == "read_file" else set()
        assert swapper.stdin is not None
        swapper.stdin.close()
        rounds = int(swapper.stdout.read())

    assert rounds >= 10_000
    assert read <= {"mine", ""}
    assert SECRET not in desk.tree().values()
    assert desk.untouched_outside()
    # the race was real: some uses met the folder and some met the link
    assert outcomes["done"] > 0
    assert outcomes[ErrorCode.PATH_NOT_ALLOWED] > 0
    assert set(outcomes) <= {"done", "path_not_allowed", "not_found", "already_exists", "conflict"}


def test_no_descriptor_stays_open(desk: Desk) -> None:
    (desk.folder / "l").symlink_to("../outside")
    open_before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(20):
        desk.run("create_directory", path=desk.at("a", "b"))
        desk.run("write_file", path=desk.at("a", "f"), content="x", overwrite=True)
        desk.fails("read_file", path=desk.at("l", "secret"))
        desk.fails("read_file", path=desk.at("none"))
        desk.run("copy_path", source=desk.at("a"), destination=desk.at("c"))
        desk.run("delete_path", path=desk.at("c"))

    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
