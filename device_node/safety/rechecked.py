"""Folders where the system has no descriptors for them (Windows): looked at right before each use.

Between the look and the use a moment remains; `docs/tools.md` says what that means.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from device_node.safety.folder import Folder, identity, is_link

_FILE = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


class PathFolder(Folder):
    """Without descriptors: the path is looked at right before each use, and links are refused."""

    def __init__(self, path: str) -> None:
        real = os.path.realpath(path)
        self.path = real
        parents = [Path(real), *Path(real).parents]
        self.lineage = tuple(identity(parent.stat()) for parent in reversed(parents))

    def _at(self, name: str) -> str:
        if os.path.normcase(os.path.realpath(self.path)) != os.path.normcase(self.path):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return self.child(name)

    def open_folder(self, name: str) -> "PathFolder":
        path = self._at(name)
        if is_link(os.lstat(path)):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if not Path(path).is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return PathFolder(path)

    def info(self) -> os.stat_result:
        return Path(self.path).lstat()

    def lstat(self, name: str) -> os.stat_result:
        return Path(self._at(name)).lstat()

    def readlink(self, name: str) -> str:
        return str(Path(self._at(name)).readlink())

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        path = self._at(name)
        if os.path.lexists(path) and is_link(os.lstat(path)):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return os.open(path, flags | _FILE, mode)

    def mkdir(self, name: str, mode: int = 0o777) -> None:
        Path(self._at(name)).mkdir(mode)

    def rmdir(self, name: str) -> None:
        Path(self._at(name)).rmdir()

    def unlink(self, name: str) -> None:
        Path(self._at(name)).unlink()

    def replace(self, name: str, to: Folder, new: str) -> None:
        Path(self._at(name)).replace(_path(to, new))

    def place(self, name: str, to: Folder, new: str) -> None:
        destination = _path(to, new)
        if os.path.lexists(destination):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        Path(self._at(name)).rename(destination)  # on Windows this refuses to replace by itself

    def symlink(self, target: str, name: str) -> None:
        Path(self._at(name)).symlink_to(target)

    @contextmanager
    def scan(self) -> Iterator[Iterator[os.DirEntry[str]]]:
        if os.path.normcase(os.path.realpath(self.path)) != os.path.normcase(self.path):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        with os.scandir(self.path) as entries:
            yield entries

    def space(self) -> tuple[int, int, int]:
        return shutil.disk_usage(self.path)

    def keep(self, name: str, info: os.stat_result) -> None:
        os.utime(self._at(name), ns=(info.st_atime_ns, info.st_mtime_ns))

    def sync(self) -> None:
        """Folders cannot be flushed here."""

    def close(self) -> None:
        """Nothing is held."""


def _path(folder: Folder, name: str) -> str:
    if not isinstance(folder, PathFolder):
        raise TypeError("folders of two kinds do not mix")
    return folder._at(name)  # noqa: SLF001 - another instance of the same class
