"""What earlier commands changed, kept on disk so that it can be undone once, also after a restart.

A record is one small file; taking it (a rename) decides who undoes it.
"""

import hashlib
import json
import logging
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from device_node.safety.errors import ToolError
from device_node.safety.fence import Place
from device_node.tools.tool import Call, NodeContext
from schemas.errors import ErrorCode
from schemas.wire import format_instant

KEPT = timedelta(days=30)

logger = logging.getLogger(__name__)

Step = dict[str, Any]  # {"kind": …} and what that kind needs


def fingerprint(info: os.stat_result) -> dict[str, int]:
    """What tells whether something is still as a command left it; of a folder, that it is the same one."""
    mark = {"device": info.st_dev, "inode": info.st_ino}
    if not stat.S_ISDIR(info.st_mode):
        mark |= {"size": info.st_size, "modified": info.st_mtime_ns}
    return mark


def is_same(place: Place, mark: dict[str, int]) -> bool:
    """Whether what stands at a place is what the mark was taken of."""
    return place.exists() and fingerprint(place.lstat()) == mark


def save(call: Call, steps: list[Step]) -> bool:
    """Keep how this command is undone; the steps are taken from the last to the first.

    The change has happened, so a full disk does not make it fail: the answer is
    then False, and the result says that it cannot be undone.
    """
    try:
        _write(call, steps)
    except OSError as error:
        logger.warning("Command %s cannot be undone: %s", call.command_id, error.strerror)
        return False
    return True


def _write(call: Call, steps: list[Step]) -> None:
    record = {
        "command_id": call.command_id,
        "tool": call.tool,
        "at": format_instant(datetime.now(UTC)),
        "steps": steps,
    }
    _store(_path(call.node, call.command_id), record)


def _store(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", encoding="ascii") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read(node: NodeContext, command_id: str) -> dict[str, Any]:
    """The record of a command.

    Raises:
        ToolError: `not_found` when there is none, `conflict` when it was undone already.
    """
    path = _path(node, command_id)
    try:
        record = json.loads(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        if path.with_suffix(".used").exists():
            raise ToolError(ErrorCode.CONFLICT, "That command was undone already.") from None
        raise ToolError(ErrorCode.NOT_FOUND, "There is nothing to undo for that command.") from None
    if not isinstance(record, dict) or record.get("command_id") != command_id:
        raise ToolError(ErrorCode.NOT_FOUND, "There is nothing to undo for that command.")
    return record


def claim(node: NodeContext, command_id: str) -> None:
    """Take a record: from now on nobody else undoes this command."""
    path = _path(node, command_id)
    try:
        path.rename(path.with_suffix(".used"))
    except FileNotFoundError:
        raise ToolError(ErrorCode.CONFLICT, "That command was undone already.") from None


def release(node: NodeContext, record: dict[str, Any]) -> None:
    """Give a record back that was not used, or only in part; it holds the steps that remain."""
    path = _path(node, record["command_id"])
    _store(path, record)
    path.with_suffix(".used").unlink(missing_ok=True)


def purge(node: NodeContext, now: datetime) -> int:
    """Forget records older than 30 days; the number that went."""
    gone = 0
    for path in _folder(node).glob("*"):
        if path.stat().st_mtime < (now - KEPT).timestamp():
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _folder(node: NodeContext) -> Path:
    return node.data_dir / "undo"


def _path(node: NodeContext, command_id: str) -> Path:
    # an id may hold any character; its hash is a file name everywhere
    return _folder(node) / f"{hashlib.sha256(command_id.encode()).hexdigest()}.json"
