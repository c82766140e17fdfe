"""A small disk of its own for one node: a tmpfs that is filled to the last byte and freed again."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = 24 * 1024 * 1024  # bytes: room for the journal and its log
CHUNK = 256 * 1024
MOUNT, UMOUNT = "/bin/mount", "/bin/umount"


class NoMount(Exception):
    """This system lets us mount nothing, so no disk can be filled."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A folder on a disk of its own.

    Raises:
        NoMount: mounting is not allowed here; run as root, or in a container that may mount.
    """
    folder.mkdir()
    mount = [MOUNT, "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "orion-faults", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise NoMount(f"a small tmpfs cannot be mounted here: {said.strip()}") from error
    try:
        yield folder
    finally:
        subprocess.run([UMOUNT, "--lazy", str(folder)], check=True, capture_output=True, timeout=10)


def fill(folder: Path) -> None:
    """Leave no room, not even for a journal's next page."""
    descriptor = os.open(folder / "ballast", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = CHUNK
        while size:
            try:
                os.write(descriptor, b"\0" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2
    finally:
        os.close(descriptor)


def free(folder: Path) -> None:
    """Give the room back."""
    (folder / "ballast").unlink(missing_ok=True)
