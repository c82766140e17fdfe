"""Files that only their owner may read, replaced whole or not at all, one writer at a time."""

import contextlib
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_WITHIN = 10.0  # seconds to wait for another program's change
RETRY_EVERY = 0.02  # seconds


class Locked(Exception):
    """Another program holds the lock."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is held by another program")
        self.path = path


def make_private_directory(path: Path) -> None:
    """Create a directory that only its owner may enter; one that exists is tightened."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)


def make_private(path: Path) -> bool:
    """Let only its owner read a file; whether others could."""
    if os.name != "posix" or not stat.S_IMODE(path.stat().st_mode) & 0o077:
        return False
    path.chmod(0o600)
    return True


def replace(path: Path, content: str) -> None:
    """Write `content` with mode 0600 such that a reader sees the old file or the new one."""
    _replace_all({path: (content,)})


def replace_all(contents: Mapping[Path, str]) -> None:
    """The same for several files, in their order; where there is no room for all, each stays as it was."""
    _replace_all({path: (content,) for path, content in contents.items()})


def replace_by_lines(path: Path, lines: Iterable[str]) -> None:
    """The same for a file that is too long to be held in memory. It is there after a power cut too."""
    _replace_all({path: (f"{line}\n" for line in lines)})
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _replace_all(contents: Mapping[Path, Iterable[str]]) -> None:
    written: list[tuple[Path, Path]] = []
    try:
        for path, pieces in contents.items():
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            written.append((Path(temporary), path))
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
        for new, path in written:
            new.replace(path)
    except BaseException:
        for new, _ in written:
            new.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(path: Path, *, within_s: float = LOCK_WITHIN) -> Iterator[None]:
    """Hold `path` as a lock; the system lets go of it when the program dies.

    Raises:
        Locked: another program held it for all of `within_s`.
    """
    deadline = time.monotonic() + within_s
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise Locked(path)
            time.sleep(RETRY_EVERY)
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a program holds this lock at present. To see that, it is taken for an instant."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
