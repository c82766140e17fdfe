"""What earlier commands changed, kept on disk so that it can be undone once, also after a restart.

A record is one small file; taking it (a rename) decides who undoes it. One that was taken by a
life that ended meanwhile holds the steps that were left, and is free again.
"""

import hashlib
import json
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from device_node.safety.errors import ToolError
from device_node.safety.fence import Place
from device_node.tools.tool import Call, NodeContext
from schemas.errors import ErrorCode
from schemas.wire import format_instant

KEPT = timedelta(days=30)
_TAKEN, _USED = ".taken", ".used"

_claiming = threading.Lock()

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
    then False, and the result says that it cannot be undone, and why.
    """
    try:
        _write(call, steps)
    except OSError as error:
        logger.warning("Command %s cannot be undone: %s", call.command_id, error.strerror)
        call.undo_note = f"How to undo it could not be kept: {error.strerror}."
        return False
    return True


def _write(call: Call, steps: list[Step]) -> None:
    record = {
        "command_id": call.command_id,
        "tool": call.tool,
        "at": format_instant(call.node.now()),
        "steps": steps,
    }
    store(_path(call.node, call.command_id), record)


def store(path: Path, record: dict[str, Any]) -> None:
    """Write a small file at once and for good: it is there in full or as it was before."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
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
    if command_id not in node.undoing:
        with suppress(FileNotFoundError):
            path.with_suffix(_TAKEN).rename(path)
    try:
        record = json.loads(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        if path.with_suffix(_USED).exists() or command_id in node.undoing:
            raise ToolError(ErrorCode.CONFLICT, "That command was undone already.") from None
        raise ToolError(ErrorCode.NOT_FOUND, "There is nothing to undo for that command.") from None
    if not isinstance(record, dict) or record.get("command_id") != command_id:
        raise ToolError(ErrorCode.NOT_FOUND, "There is nothing to undo for that command.")
    return record


@contextmanager
def claimed(node: NodeContext, record: dict[str, Any]) -> Iterator[Callable[[], None]]:
    """Take a record: nobody else undoes this command meanwhile, and nobody afterwards.

    What is yielded is to be called after each step that was taken off the record. When the
    work fails the record is free again, with the steps that are left.

    Raises:
        ToolError: `conflict` when somebody else has it, or had it.
    """
    command_id = record["command_id"]
    path = _path(node, command_id)
    taken = path.with_suffix(_TAKEN)
    with _claiming:
        if command_id in node.undoing or not path.exists():
            raise ToolError(ErrorCode.CONFLICT, "That command was undone already.")
        path.rename(taken)
        node.undoing.add(command_id)
    try:
        yield lambda: _keep(taken, record)
        taken.rename(path.with_suffix(_USED))
    except BaseException:
        taken.rename(path)
        raise
    finally:
        node.undoing.discard(command_id)


def _keep(path: Path, record: dict[str, Any]) -> None:
    try:
        store(path, record)
    except OSError as error:
        # only a crash before the last step would show it, and then as a step that cannot be taken twice
        logger.warning("Could not keep how far an undo is: %s", error.strerror)


def recognise(node: NodeContext, place: Place, *, was: dict[str, int] | None) -> None:
    """Let what stands at a place again count as what earlier commands left there, if it is a copy of that.

    `was`: the mark of what was taken away. Without it, or when nobody asks for that mark, nothing changes.
    """
    now = fingerprint(place.lstat())
    if was is None or was == now:
        return
    for path in _folder(node).glob("*.json"):
        try:
            record = json.loads(path.read_text(encoding="ascii"))
            left = [step for step in record["steps"] if step.get("is") == was and step["path"] == place.path]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # unreadable, or undone meanwhile
        for step in left:
            step["is"] = now
        if left:
            _keep(path, record)


def purge(node: NodeContext, now: datetime) -> int:
    """Forget records older than 30 days; the number that went."""
    gone = 0
    for path in _folder(node).glob("*"):
        if _kept_since(path) < now - KEPT:
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _kept_since(path: Path) -> datetime:
    try:
        return datetime.fromisoformat(json.loads(path.read_text(encoding="ascii"))["at"])
    except (ValueError, KeyError, TypeError):  # unfinished
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _folder(node: NodeContext) -> Path:
    return node.data_dir / "undo"


def _path(node: NodeContext, command_id: str) -> Path:
    # an id may hold any character; its hash is a file name everywhere
    return _folder(node) / f"{hashlib.sha256(command_id.encode()).hexdigest()}.json"
