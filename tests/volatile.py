"""Where databases of tests are: in memory if there is room. They need not outlive the tests, and a disk takes its time."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3  # bytes that have to be free
PREFIX = "orion-tests-"  # and the process whose folder it is


def place() -> Path:
    """A folder in which new ones may be made."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return MEMORY if usable else Path(tempfile.gettempdir())


@contextmanager
def folder(where: Path | None = None) -> Iterator[Path]:
    """A new folder, in memory unless said otherwise, which is gone after the block."""
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", dir=where or place()) as made:
        yield Path(made)


def sweep() -> None:
    """Take away what runs left that were killed: their folders, and the servers that work in them."""
    for left in place().glob(f"{PREFIX}*"):
        owner = left.name.removeprefix(PREFIX).partition("-")[0]
        if not owner.isdecimal() or psutil.pid_exists(int(owner)):
            continue
        for process in psutil.process_iter(["cmdline"]):
            if any(str(left) in word for word in process.info["cmdline"] or ()):
                with suppress(psutil.Error):
                    process.kill()
                    process.wait(10)
        shutil.rmtree(left, ignore_errors=True)
