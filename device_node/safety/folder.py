"""An open folder: every name is used in the folder that is held open, and no link is followed.

This is the contract that all file tools work with; `descriptors` keeps it on POSIX,
`rechecked` as well as it can be kept where there are no folder descriptors.
"""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

Identity = tuple[int, int]  # device and inode: what a folder is, whatever it is called


def identity(info: os.stat_result) -> Identity:
    """What tells one file or folder from every other."""
    return info.st_dev, info.st_ino


class Folder(ABC):
    """A folder that is held open. Names are single ones; `lineage` is it and all above it."""

    path: str
    lineage: tuple[Identity, ...]

    @property
    def id(self) -> Identity:
        return self.lineage[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def child(self, name: str) -> str:
        """The path of a name in it, for people and records only."""
        return os.path.join(self.path, single(name))  # noqa: PTH118 - names may be no text

    @abstractmethod
    def open_folder(self, name: str) -> "Folder": ...
    @abstractmethod
    def info(self) -> os.stat_result: ...
    @abstractmethod
    def lstat(self, name: str) -> os.stat_result: ...
    @abstractmethod
    def readlink(self, name: str) -> str: ...
    @abstractmethod
    def open(self, name: str, flags: int, mode: int = 0o666) -> int: ...
    @abstractmethod
    def mkdir(self, name: str, mode: int = 0o777) -> None: ...
    @abstractmethod
    def rmdir(self, name: str) -> None: ...
    @abstractmethod
    def unlink(self, name: str) -> None: ...
    @abstractmethod
    def replace(self, name: str, to: "Folder", new: str) -> None: ...
    @abstractmethod
    def place(self, name: str, to: "Folder", new: str) -> None:
        """Move a name to where nothing is.

        Raises:
            FileExistsError: something is there; it was not touched.
        """

    @abstractmethod
    def symlink(self, target: str, name: str) -> None: ...
    @abstractmethod
    @contextmanager
    def scan(self) -> Iterator[Iterator[os.DirEntry[str]]]:
        """The entries, whose `stat` and `is_dir` do not follow links when told so."""
        yield iter(())

    @abstractmethod
    def space(self) -> tuple[int, int, int]:
        """Bytes of its file system: all, used, and free to us."""

    @abstractmethod
    def keep(self, name: str, info: os.stat_result) -> None:
        """Give a folder in it, made by us, the mode and times of another."""

    @abstractmethod
    def sync(self) -> None:
        """Make names durable, where the system can."""

    @abstractmethod
    def close(self) -> None: ...

    def exists(self, name: str) -> bool:
        try:
            self.lstat(name)
        except FileNotFoundError:
            return False
        return True


def is_link(info: os.stat_result) -> bool:
    """A symlink, or on Windows a junction."""
    junction = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT
    return stat.S_ISLNK(info.st_mode) or getattr(info, "st_reparse_tag", 0) == junction


def single(name: str) -> str:
    """The name, if it is one: nothing that could lead elsewhere."""
    if not name or name in (".", "..") or "/" in name or "\0" in name or os.sep in name:
        raise ValueError("a name in a folder is a single one")
    return name
