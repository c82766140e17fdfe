"""Where databases of tests are: in memory if there is room. They need not outlive the tests, and a disk takes its time."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3  # bytes that have to be free


def place() -> Path:
    """A folder in which new ones may be made."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return MEMORY if usable else Path(tempfile.gettempdir())


@contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """A new folder there, which is gone after the block."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place()) as made:
        yield Path(made)
