"""A folder in which a file is made ready, beside where it will be; gone whatever happens.

What a killed program left is removed by the next one: nobody holds its lock any more.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from broker import files

PREFIX, SUFFIX, LOCK = ".orion-", ".new", "lock"


@contextlib.contextmanager
def drafting(folder: Path) -> Iterator[Path]:
    """A folder for the block, in `folder`."""
    _remove_left_over(folder)
    made = Path(tempfile.mkdtemp(prefix=PREFIX, suffix=SUFFIX, dir=folder))
    try:
        with files.locked(made / LOCK):
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def publish(draft: Path, path: Path, *, replace: bool) -> None:
    """Give a finished file its name, at once. Unless `replace`, what has that name stays.

    Raises:
        FileExistsError: something has that name.
    """
    if replace:
        draft.replace(path)
    else:
        try:
            os.link(draft, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if path.exists():
                raise FileExistsError(path) from None
            draft.replace(path)
    flush(path.parent)


def flush(folder: Path) -> None:
    """Have on the disk which names a folder has."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_left_over(folder: Path) -> None:
    for left in folder.glob(f"{PREFIX}*{SUFFIX}"):
        lock = left / LOCK
        if left.is_dir() and not left.is_symlink() and lock.exists() and not files.is_held(lock):
            shutil.rmtree(left, ignore_errors=True)
