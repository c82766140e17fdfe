"""Folders on POSIX: held by descriptor, so that no rename and no link can lead a use astray."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from device_node.safety.folder import Folder, Identity, identity, is_link, single

# read by name: the module is imported where none of these exist
_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_SEARCH = getattr(os, "O_PATH", 0) | _FOLDER
_READ = os.O_RDONLY | _FOLDER
# opening a file never follows a link and never waits for another program
_FILE = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
)


class DescriptorFolder(Folder):
    """POSIX: everything relative to a descriptor, which follows the folder and not its name."""

    def __init__(self, fd: int, path: str, above: tuple[Identity, ...]) -> None:
        self.fd = fd
        self.path = path
        self.lineage = (*above, identity(os.fstat(fd)))

    @classmethod
    def at(cls, path: str) -> "DescriptorFolder":
        """Open an absolute path name by name from the root, none of them a link."""
        folder = cls(os.open("/", _SEARCH), "/", ())
        for name in path.split("/"):
            if name:
                with folder:
                    folder = folder.open_folder(name)
        return folder

    def open_folder(self, name: str) -> "DescriptorFolder":
        try:
            fd = os.open(single(name), _SEARCH, dir_fd=self.fd)
        except NotADirectoryError:
            if is_link(
                self.lstat(name)
            ):  # asked for a folder, the system says of a link only that it is none
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
            raise
        return DescriptorFolder(fd, self.child(name), self.lineage)

    def info(self) -> os.stat_result:
        return os.fstat(self.fd)

    def lstat(self, name: str) -> os.stat_result:
        return os.stat(single(name), dir_fd=self.fd, follow_symlinks=False)

    def readlink(self, name: str) -> str:
        try:
            return os.readlink(single(name), dir_fd=self.fd)
        except OSError as error:
            if error.errno == errno.EINVAL:  # no link any more
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE)) from None
            raise

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        return os.open(single(name), flags | _FILE, mode, dir_fd=self.fd)

    def mkdir(self, name: str, mode: int = 0o777) -> None:
        os.mkdir(single(name), mode, dir_fd=self.fd)

    def rmdir(self, name: str) -> None:
        os.rmdir(single(name), dir_fd=self.fd)

    def unlink(self, name: str) -> None:
        os.unlink(single(name), dir_fd=self.fd)

    def replace(self, name: str, to: Folder, new: str) -> None:
        os.replace(single(name), single(new), src_dir_fd=self.fd, dst_dir_fd=_fd(to))

    def place(self, name: str, to: Folder, new: str) -> None:
        if stat.S_ISDIR(self.lstat(name).st_mode):
            # rename() replaces an empty folder and nothing else: an empty one of ours holds the place
            to.mkdir(new, 0o700)
            try:
                self.replace(name, to, new)
            except OSError:
                with suppress(OSError):
                    to.rmdir(new)
                raise
            return
        try:
            os.link(single(name), single(new), src_dir_fd=self.fd, dst_dir_fd=_fd(to), follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                raise
            # no hard links here (FAT, some shares), or not to this file: an empty file of ours holds the place
            os.close(to.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            try:
                self.replace(name, to, new)
            except OSError:
                with suppress(OSError):
                    to.unlink(new)
                raise
        else:
            self.unlink(name)

    def symlink(self, target: str, name: str) -> None:
        os.symlink(target, single(name), dir_fd=self.fd)

    @contextmanager
    def scan(self) -> Iterator[Iterator[os.DirEntry[str]]]:
        fd = os.open(".", _READ, dir_fd=self.fd)
        try:
            with os.scandir(fd) as entries:
                yield entries
        finally:
            os.close(fd)

    def space(self) -> tuple[int, int, int]:
        found = os.fstatvfs(self.fd)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        return found.f_blocks * found.f_frsize, used, found.f_bavail * found.f_frsize

    def keep(self, name: str, info: os.stat_result) -> None:
        fd = os.open(single(name), _READ, dir_fd=self.fd)
        try:
            os.utime(fd, ns=(info.st_atime_ns, info.st_mtime_ns))
            os.fchmod(fd, stat.S_IMODE(info.st_mode) & 0o1777)
        finally:
            os.close(fd)

    def sync(self) -> None:
        fd = os.open(".", _READ, dir_fd=self.fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        os.close(self.fd)


def _fd(folder: Folder) -> int:
    if not isinstance(folder, DescriptorFolder):
        raise TypeError("folders of two kinds do not mix")
    return folder.fd
