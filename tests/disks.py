"""A small disk of its own, to be filled and freed."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SIZE = 8 * 1024 * 1024  # bytes: an empty database has more than one million


@dataclass
class Disk:
    """A mounted tmpfs."""

    path: Path

    async def fill(self) -> None:
        """Leave no room at all."""
        await asyncio.to_thread(self.fill_now)

    async def free(self) -> None:
        await asyncio.to_thread((self.path / "filler").unlink)

    async def protect(self) -> None:
        """Let nothing be written any more."""
        await _run("mount", "-o", "remount,ro", str(self.path))

    def fill_now(self) -> None:
        """The same for who is in no event loop."""
        with (self.path / "filler").open("ab", buffering=0) as file, suppress(OSError):
            for size in (65_536, 4_096, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"\0" * size)


@asynccontextmanager
async def small_disk(path: Path, *, size: int = SIZE) -> AsyncIterator[Disk]:
    """Mount one of `size` bytes; the system has to allow that, or the test fails with its reason."""
    await asyncio.to_thread(path.mkdir, parents=True)
    await _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))
    try:
        yield Disk(path)
    finally:
        await _run("umount", "--lazy", str(path))


async def _run(*words: str) -> None:
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words[0]}: {done.stderr.strip()} (these tests need the right to mount)"
