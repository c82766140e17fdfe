"""Making folders and files. Nothing is replaced unless asked, also when something appears meanwhile."""

import os
import stat
from contextlib import suppress

from device_node.safety.errors import ToolError
from device_node.safety.fence import Fence, Place
from device_node.tools import content, extent, records, trash
from device_node.tools.tool import Call, Result
from schemas.errors import ErrorCode


def create_directory(call: Call) -> Result:
    """Make a folder and those above it; a folder that exists already is success."""
    path, fence = call.text("path"), call.node.fence()
    if call.dry_run:
        return _would_create(fence, path)
    made: list[str] = []
    try:
        with fence.locate(path, made=made) as place:
            try:
                if place.name:
                    place.folder.mkdir(place.name)
                    made.append(place.path)
            except FileExistsError:
                _refuse_other_than_folder(place)
            if made:
                place.folder.sync()
    finally:
        # also after a failure half way: what was made can be unmade
        undo = bool(made) and records.save(call, [{"kind": "remove_if_empty", "path": path} for path in made])
    return {"path": path, "created": bool(made), "undo": undo}


def write_file(call: Call) -> Result:
    """Write a whole file at once: it is the old one or the new one at any moment."""
    path, fence = call.text("path"), call.node.fence()
    try:
        data = call.text("content").encode()
    except UnicodeEncodeError:
        raise ToolError(ErrorCode.INVALID_ARGUMENTS, "The content holds half a character.") from None
    with fence.locate(path) as place:
        if not place.name:
            raise ToolError(ErrorCode.CONFLICT, f"{place.path} is a folder.")
        old = _replaceable(call, place)
        if call.dry_run:
            return _would_write(call, place, data)
        steps = _write(call, place, data, old)
        undo = records.save(call, steps)
    return {"path": path, "bytes": len(data), "created": old is None, "undo": undo}


def _would_create(fence: Fence, path: str) -> Result:
    missing: list[str] = []
    try:
        with fence.locate(path) as place:
            if place.exists():
                _refuse_other_than_folder(place)
                would = f"Nothing: {place.path} exists already."
                return {"would": would, "path": path, "created": False, "undo": False}
            missing.append(place.path)
    except ToolError as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        missing += _missing(fence, path)
    would = f"Create the folder {path}."
    if len(missing) > 1:
        would = f"Create {len(missing)} folders: {', '.join(missing)}."
    return {"would": would, "path": path, "created": True, "creates": missing, "undo": True}


def _missing(fence: Fence, path: str) -> list[str]:
    """The folders that would be made on the way to a path, the highest first."""
    missing = [path]
    while True:
        above = os.path.dirname(missing[0])  # noqa: PTH120 - either flavour
        try:
            with fence.locate(above) as place:
                if place.exists():
                    return missing
        except ToolError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
        missing.insert(0, above)


def _would_write(call: Call, place: Place, data: bytes) -> Result:
    size = f"{len(data)} byte{'' if len(data) == 1 else 's'}"
    result: Result = {
        "would": f"Create {place.path} with {size}.",
        "path": place.path,
        "bytes": len(data),
        "undo": True,
    }
    if place.exists():
        there = extent.occupant(call, place)
        would = (
            f"Replace {place.path}, {extent.in_words(there)}, by {size}; the old content goes to the trash."
        )
        result |= {"would": would, "replaces": there}
    return result


def _refuse_other_than_folder(place: Place) -> None:
    if not stat.S_ISDIR(place.lstat().st_mode):
        raise ToolError(ErrorCode.ALREADY_EXISTS, f"{place.path} exists already and is no folder.")


def _replaceable(call: Call, place: Place) -> os.stat_result | None:
    """What the new file will replace, if anything, and if that is wanted and allowed."""
    if not place.exists():
        return None
    if content.kind_of(place.lstat()) == "directory":
        raise ToolError(ErrorCode.CONFLICT, f"{place.path} is a folder.")
    if not call.flag("overwrite"):
        raise ToolError(ErrorCode.ALREADY_EXISTS, f"{place.path} exists already; overwrite was not asked.")
    # opened for writing, though a new file takes its place: a file that is closed to us stays as it is
    fd = content.open_regular(place.folder, place.name, os.O_WRONLY)
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def _write(call: Call, place: Place, data: bytes, old: os.stat_result | None) -> list[records.Step]:
    folder, name, unfinished = place.folder, place.name, content.temporary()
    kept: list[records.Step] = []
    try:
        fd = folder.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            content.write_all(fd, data)
            if old is not None:
                _take_rights(fd, old)
            os.fsync(fd)
        finally:
            os.close(fd)
        call.go_on()
        if old is None:
            folder.place(unfinished, folder, name)
        else:
            entry = trash.keep_copy(call, place)
            kept = [{"kind": "restore", "entry": entry, "path": place.path, "was": records.fingerprint(old)}]
            _refuse_changed(place, old)
            folder.replace(unfinished, folder, name)
        folder.sync()
    except BaseException:
        content.discard(folder, unfinished)
        raise
    return [*kept, {"kind": "discard", "path": place.path, "is": records.fingerprint(place.lstat())}]


def _refuse_changed(place: Place, old: os.stat_result) -> None:
    if not records.is_same(place, records.fingerprint(old)):
        raise ToolError(ErrorCode.CONFLICT, f"{place.path} was changed by another program meanwhile.")


def _take_rights(fd: int, old: os.stat_result) -> None:
    if hasattr(os, "fchown"):
        with suppress(PermissionError):
            os.fchown(fd, old.st_uid, old.st_gid)
        os.fchmod(fd, stat.S_IMODE(old.st_mode) & 0o777)
