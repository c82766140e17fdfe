"""How much a file or tree is: for saying what a change would touch, and how far one has come.

A walk ends after a while, however large the tree; what it saw is then the least there is.
"""

import os
import stat
from dataclasses import dataclass
from itertools import islice
from typing import Any

from device_node.safety.errors import PathNotAllowed, ToolError
from device_node.safety.fence import Fence, Place
from device_node.safety.folder import Folder, is_link
from device_node.tools import content
from device_node.tools.files import described
from device_node.tools.progress import ENTRY
from device_node.tools.tool import Call
from schemas.errors import ErrorCode
from schemas.topics import with_article

MOST_SEEN = 50_000  # entries


@dataclass
class Extent:
    """What a walk found. Links and what is no ordinary file count as files of no size."""

    files: int = 0
    folders: int = 0
    bytes: int = 0
    complete: bool = True

    @property
    def work(self) -> int:
        """What it takes to copy it, in bytes or what costs as much."""
        return self.bytes + ENTRY * (self.files + self.folders)

    def facts(self) -> dict[str, Any]:
        """As a part of a result."""
        facts: dict[str, Any] = {"files": self.files, "folders": self.folders, "bytes": self.bytes}
        return facts if self.complete else facts | {"at_least": True}

    def __str__(self) -> str:
        what = _counted(self.bytes, "byte")
        if self.folders:
            what = f"{_counted(self.folders, 'folder')} with {_counted(self.files, 'file')}, {what}"
        return what if self.complete else f"at least {what}"


def of(call: Call, folder: Folder, name: str, *, fence: Fence | None = None) -> Extent:
    """Walk what stands at a name in a folder. With a fence, as somebody who will copy all of it.

    Raises:
        ToolError: the call was cancelled; with a fence also what a copy would raise.
    """
    found = Extent()
    _add(call, found, folder, name, fence, 0)
    return found


def occupant(call: Call, place: Place) -> dict[str, Any]:
    """What stands at a place and would be replaced."""
    facts = {"path": place.path, **described(place.name, place.lstat())}
    del facts["name"]
    if facts["type"] == "directory":
        facts |= of(call, place.folder, place.name).facts()
    return facts


def in_words(occupant: dict[str, Any]) -> str:
    """What stands there, within a sentence."""
    if occupant["type"] == "directory":
        return f"a folder of {_counted(occupant['files'], 'file')}"
    size = f" of {_counted(occupant['size'], 'byte')}" if "size" in occupant else ""
    return f"{with_article(occupant['type'])}{size}, changed at {occupant['modified']}"


def _add(call: Call, found: Extent, folder: Folder, name: str, fence: Fence | None, depth: int) -> None:
    call.go_on()
    if found.files + found.folders >= MOST_SEEN:
        found.complete = False
        return
    info = folder.lstat(name)
    if fence is not None:
        _refuse_unfit(fence, folder, name, info, depth)
    if not stat.S_ISDIR(info.st_mode) or is_link(info):
        found.files += 1
        found.bytes += info.st_size if content.kind_of(info) == "file" else 0
        return
    found.folders += 1
    if depth >= content.MAX_DEPTH:
        found.complete = False
        return
    try:
        with folder.open_folder(name) as inner:
            with inner.scan() as entries:
                names = [entry.name for entry in islice(entries, MOST_SEEN + 1)]
            for entry in names:
                _add(call, found, inner, entry, fence, depth + 1)
    except FileNotFoundError:
        found.complete = False  # it went while we looked
    except PermissionError:
        if fence is not None:
            raise
        found.complete = False


def _refuse_unfit(fence: Fence, folder: Folder, name: str, info: os.stat_result, depth: int) -> None:
    path = folder.child(name)
    if fence.is_own(folder, name):
        raise PathNotAllowed(path, "belongs to the node itself")
    if stat.S_ISDIR(info.st_mode):
        if depth >= content.MAX_DEPTH:
            raise ToolError(ErrorCode.CONFLICT, f"{path} is nested deeper than {content.MAX_DEPTH} folders.")
    elif not is_link(info):
        content.refuse_special(folder, name, info)


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
