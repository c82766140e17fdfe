"""Copying and moving between open folders, across file systems too.

A link inside a tree is copied as a link and never followed. What is moved is at one of
the two places in full at any time.
"""

import errno
import os
import stat

from device_node.safety.errors import ToolError, shown
from device_node.safety.fence import Fence
from device_node.safety.folder import Folder, is_link
from device_node.tools import content, extent
from device_node.tools.progress import ENTRY, Progress
from device_node.tools.tool import Call
from device_node.tools.unfinished import Note
from schemas.errors import ErrorCode


def copy(call: Call, fence: Fence, source: Folder, name: str, to: Folder, new: str) -> None:
    """Copy a file, link or tree to a name that is free; what was copied stays when it fails.

    Raises:
        ToolError: something in it cannot be copied, or the call was cancelled.
    """
    whole = extent.of(call, source, name, fence=fence)
    _copy(call, fence, source, name, to, new, Progress(call, whole.work if whole.complete else 0))


def _copy(
    call: Call,
    fence: Fence,
    source: Folder,
    name: str,
    to: Folder,
    new: str,
    progress: Progress,
    depth: int = 0,
) -> None:
    call.go_on()
    path = shown(source.child(name))
    if fence.is_own(source, name):
        raise ToolError(ErrorCode.PATH_NOT_ALLOWED, f"{path} belongs to the node itself.")
    info = source.lstat(name)
    if is_link(info):
        to.symlink(source.readlink(name), new)
    elif stat.S_ISDIR(info.st_mode):
        if depth >= content.MAX_DEPTH:
            raise ToolError(ErrorCode.CONFLICT, f"{path} is nested deeper than {content.MAX_DEPTH} folders.")
        to.mkdir(new, 0o700)
        with source.open_folder(name) as inner, to.open_folder(new) as copied:
            with inner.scan() as entries:
                names = [entry.name for entry in entries]
            for entry in names:
                _copy(call, fence, inner, entry, copied, entry, progress, depth + 1)
            copied.sync()
        to.keep(new, info)
    else:
        copy_file(call, source, name, to, new, progress)
    progress.entry()


def copy_file(
    call: Call, source: Folder, name: str, to: Folder, new: str, progress: Progress | None = None
) -> None:
    """Copy one ordinary file, with its rights and times, to a name that is free."""
    reading = content.open_regular(source, name)
    try:
        writing = to.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            while chunk := os.read(reading, content.CHUNK):
                call.go_on()
                content.write_all(writing, chunk)
                if progress is not None:
                    progress.add(len(chunk))
            content.keep(writing, os.fstat(reading))
            os.fsync(writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def move(call: Call, fence: Fence, source: Folder, name: str, to: Folder, new: str) -> None:
    """Move to a name that is free, across file systems too; it is at one of the two in full.

    Raises:
        FileExistsError: something is there; it was not touched.
        ToolError: as `copy`, when another file system makes it one.
    """
    try:
        source.place(name, to, new)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    hidden, copied = content.temporary(), content.temporary()
    note = Note(call.node, source, name, hidden, to, copied)
    note.begin()
    try:
        source.replace(name, source, hidden)  # nobody adds to it while it is copied
    except BaseException:
        note.end()
        raise
    try:
        whole = extent.of(call, source, hidden, fence=fence)
        removing = ENTRY * (whole.files + whole.folders)
        progress = Progress(call, whole.work + removing if whole.complete else 0)
        _copy(call, fence, source, hidden, to, copied, progress)
        to.place(copied, to, new)
    except BaseException:
        content.discard(to, copied)
        source.place(hidden, source, name)
        note.end()
        raise
    to.sync()
    note.arrived()
    try:
        # not given up half way when the call is cancelled: it has been moved
        content.remove(source, hidden, progress.entry)
    except OSError as error:
        raise ToolError(
            ErrorCode.CONFLICT,
            f"It is at its new place, but {shown(source.child(hidden))} could not be removed in full.",
        ) from error
    finally:
        note.end()
