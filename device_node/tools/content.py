"""Files and trees as content: opened safely, written, removed, always inside open folders.

No link is followed. Sockets, pipes and devices are refused, and so are hard links that
another user may hold.
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress

from device_node.safety.errors import ToolError, shown
from device_node.safety.folder import Folder, is_link
from schemas.errors import ErrorCode

CHUNK = 1024 * 1024  # bytes
MAX_DEPTH = 64  # folders; each open level holds a descriptor
_LIFT_AT = 32


def temporary() -> str:
    """A name for what is not finished yet."""
    return f".orion-{secrets.token_hex(8)}.part"


def kind_of(info: os.stat_result) -> str:
    """`file`, `directory`, `link` or `other`."""
    if is_link(info):
        return "link"
    if stat.S_ISDIR(info.st_mode):
        return "directory"
    return "file" if stat.S_ISREG(info.st_mode) else "other"


def open_regular(folder: Folder, name: str, flags: int = os.O_RDONLY) -> int:
    """Open an ordinary file and nothing else; the caller closes the descriptor.

    Raises:
        ToolError: it is no file, or has hard links and belongs to somebody else.
    """
    # looked at before opening, because opening a device may already do something
    refuse_special(folder, name, folder.lstat(name))
    fd = folder.open(name, flags)
    try:
        refuse_special(folder, name, os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    return fd


def refuse_special(folder: Folder, name: str, info: os.stat_result) -> None:
    """Let ordinary files of our own pass."""
    path = shown(folder.child(name))
    if stat.S_ISDIR(info.st_mode):
        raise ToolError(ErrorCode.CONFLICT, f"{path} is a folder.")
    if is_link(info):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not stat.S_ISREG(info.st_mode):
        raise ToolError(
            ErrorCode.PERMISSION_DENIED, f"{path} is no ordinary file (a pipe, socket or device)."
        )
    if info.st_nlink > 1 and hasattr(os, "geteuid") and {info.st_uid} != {os.geteuid(), folder.info().st_uid}:
        raise ToolError(
            ErrorCode.PATH_NOT_ALLOWED,
            f"{path} has hard links and belongs to another user, so it may stand elsewhere too.",
        )


def write_all(fd: int, data: bytes) -> None:
    """Write it all, or raise."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def keep(fd: int, info: os.stat_result) -> None:
    """Give an open file the rights and times of another; never set-user-id."""
    if os.utime in os.supports_fd:
        os.utime(fd, ns=(info.st_atime_ns, info.st_mtime_ns))
    if hasattr(os, "fchmod"):
        os.fchmod(fd, stat.S_IMODE(info.st_mode) & 0o777)


def remove(top: Folder, name: str, gone: Callable[[], None] = lambda: None) -> None:
    """Remove a file, link or tree, however deep, without following anything out of it.

    `gone` is called after each file and folder.
    """
    waiting = [name]
    while waiting:
        _remove(top, waiting.pop(), top, waiting, 0, gone)


def _remove(
    holder: Folder, name: str, top: Folder, waiting: list[str], depth: int, gone: Callable[[], None]
) -> None:
    if kind_of(holder.lstat(name)) != "directory":
        holder.unlink(name)
        gone()
        return
    with holder.open_folder(name) as folder:
        with folder.scan() as entries:
            names = [entry.name for entry in entries]
        for entry in names:
            if depth >= _LIFT_AT and kind_of(folder.lstat(entry)) == "directory":
                # a tree too deep to hold open is taken apart: its end is lifted to the top and comes next
                lifted = temporary()
                folder.replace(entry, top, lifted)
                waiting.append(lifted)
            else:
                _remove(folder, entry, top, waiting, depth + 1, gone)
    holder.rmdir(name)
    gone()


def discard(folder: Folder, name: str) -> None:
    """Remove what is left of something unfinished, as far as that goes."""
    with suppress(OSError):
        remove(folder, name)
