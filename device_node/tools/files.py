"""Looking at files and folders: nothing here changes anything, and nothing waits for another program."""

import base64
import hashlib
import heapq
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from device_node.safety.errors import ToolError, shown
from device_node.safety.fence import Place
from device_node.tools import content
from device_node.tools.progress import Progress
from device_node.tools.tool import Call, Result, size_of
from schemas.builtin import MAX_RESULT_BYTES
from schemas.errors import ErrorCode
from schemas.wire import format_instant

_TEXT_CONTROLS = frozenset("\t\n\r\f\x1b")


def list_directory(call: Call) -> Result:
    """What a folder holds, sorted by name."""
    limit = call.whole("limit", 200)
    with call.node.fence().locate(call.text("path")) as place, place.opened() as folder:
        total = 0

        def counted() -> Iterator[os.DirEntry[str]]:
            nonlocal total
            with folder.scan() as entries:
                for entry in entries:
                    call.go_on()
                    total += 1
                    yield entry

        # only the names that are shown are held, however many there are
        first = heapq.nsmallest(limit, (entry.name for entry in counted()), key=_by_name)
        rows = []
        for name in first:
            try:
                rows.append(described(name, folder.lstat(name)))
            except FileNotFoundError:
                continue  # it went while we looked
    result = {
        "path": call.text("path"),
        "empty": total == 0,
        "entries": rows,
        "total": total,
        "truncated": total > len(first),
    }
    while size_of(result) > MAX_RESULT_BYTES:
        rows[:] = rows[: len(rows) * 3 // 4]
        result["truncated"] = True
    return result


def path_info(call: Call) -> Result:
    """What stands at a path; that nothing does is an answer too."""
    path = call.text("path")
    try:
        with call.node.fence().locate(path) as place:
            if not place.exists():
                return {"path": path, "exists": False}
            info = place.lstat()
            result = {"path": path, "exists": True, **described(os.path.basename(path), info)}  # noqa: PTH119 - either flavour
            result["mode"] = oct(info.st_mode & 0o7777)
            if born := getattr(info, "st_birthtime", None):  # Linux does not tell it
                result["created"] = _moment(born)
            if call.flag("sha256"):
                result["sha256"] = _hash(call, place)
            return result
    except ToolError as error:
        if error.code is ErrorCode.NOT_FOUND:
            return {"path": path, "exists": False}
        raise


def read_file(call: Call) -> Result:
    """The start of a file: text as text, anything else as base64."""
    most = call.whole("max_bytes", 65_536)
    with call.node.fence().locate(call.text("path")) as place:
        if not place.name:
            raise ToolError(ErrorCode.CONFLICT, f"{place.path} is a folder.")
        fd = content.open_regular(place.folder, place.name)
        try:
            size = os.fstat(fd).st_size
            data = _read(fd, most + 1)
        finally:
            os.close(fd)
    truncated = len(data) > most
    data = data[:most]
    result: Result = {"path": call.text("path"), "size": size, "truncated": truncated}
    text = _as_text(data, cut=truncated)
    if text is None:
        return result | {"encoding": "base64", "content": base64.b64encode(data).decode("ascii")}
    result |= {"encoding": "utf-8", "content": text}
    while size_of(result) > MAX_RESULT_BYTES:  # quotes and line ends grow on the wire
        text = text[: len(text) * 3 // 4]
        result |= {"content": text, "truncated": True}
    return result


def described(name: str, info: os.stat_result) -> dict[str, Any]:
    """One entry: name, type, size and time of change."""
    row: dict[str, Any] = {"name": shown(name), "type": content.kind_of(info)}
    if row["type"] == "file":
        row["size"] = info.st_size
    row["modified"] = _moment(info.st_mtime)
    if row["name"] != name:
        row["escaped"] = True  # no tool can be given this name: it is no text
    return row


def _moment(seconds: float) -> str | None:
    try:
        return format_instant(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        return None  # a time beyond the calendar


def _by_name(name: str) -> tuple[str, str]:
    return name.casefold(), name


def _hash(call: Call, place: Place) -> str:
    if not place.name:
        raise ToolError(ErrorCode.CONFLICT, f"{place.path} is a folder and has no SHA-256.")
    fd = content.open_regular(place.folder, place.name)
    digest = hashlib.sha256()
    try:
        progress = Progress(call, os.fstat(fd).st_size)
        while chunk := os.read(fd, content.CHUNK):
            call.go_on()
            digest.update(chunk)
            progress.add(len(chunk))
    finally:
        os.close(fd)
    return digest.hexdigest()


def _read(fd: int, most: int) -> bytes:
    parts = []
    while most > 0 and (chunk := os.read(fd, most)):
        parts.append(chunk)
        most -= len(chunk)
    return b"".join(parts)


def _as_text(data: bytes, *, cut: bool) -> str | None:
    # a cut may fall inside a letter of up to four bytes
    for shorter in range(4 if cut else 1):
        try:
            text = data[: len(data) - shorter].decode("utf-8")
        except UnicodeDecodeError:
            continue
        binary = any(letter < " " and letter not in _TEXT_CONTROLS for letter in text)
        return None if binary else text
    return None
