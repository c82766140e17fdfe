"""What a flush costs on this disk, and a place where it costs nothing."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BLOCK = b"x" * 4096
FLUSHES = 10
MEMORY = Path("/dev") / "shm"


def flushes(path: Path) -> list[float]:
    """How long it takes to write a block and have it on the disk, in ms, some times."""
    found: list[float] = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FLUSHES):
            begun = time.perf_counter()
            file.write(BLOCK)
            os.fdatasync(file.fileno())
            found.append((time.perf_counter() - begun) * 1e3)
    return found


@contextmanager
def in_memory() -> Iterator[Path | None]:
    """A folder that is no disk's; None where the system has none."""
    if not MEMORY.is_dir():
        yield None
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="orion-bench-") as folder:
        yield Path(folder)
