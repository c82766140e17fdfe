"""The node's trash: what was deleted or replaced, kept 30 days with where it came from.

An entry is a folder of its own under the node's data: what was put there under its
own short name, and a note that says where it stood.
"""

import json
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from device_node.safety.errors import ToolError
from device_node.safety.fence import Fence, Place
from device_node.safety.folder import Folder
from device_node.tools import content, records, transfer
from device_node.tools.tool import Call, NodeContext
from schemas.errors import ErrorCode
from schemas.wire import format_instant

logger = logging.getLogger(__name__)

KEPT = timedelta(days=30)
_CONTENT = "content"


def put(call: Call, fence: Fence, place: Place) -> str:
    """Move what stands at a place into the trash; the entry's name."""
    fence.refuse_holder(place)
    entry = _new_name(call.node)
    with _opened(call.node, entry, make=True) as folder:
        try:
            _note(call, entry, place)
            transfer.move(call, fence, place.folder, place.name, folder, _CONTENT)
        except BaseException:
            _forget(call.node, entry)
            raise
    return entry


def keep_copy(call: Call, place: Place) -> str:
    """Copy the file at a place into the trash, before another replaces it in one step."""
    entry = _new_name(call.node)
    with _opened(call.node, entry, make=True) as folder:
        try:
            _note(call, entry, place)
            transfer.copy_file(call, place.folder, place.name, folder, _CONTENT)
        except BaseException:
            _forget(call.node, entry)
            raise
    return entry


def restore(call: Call, fence: Fence, entry: str, place: Place) -> None:
    """Move an entry back to a place where nothing is.

    Raises:
        ToolError: `not_found` when it was purged, `conflict` when something is there now.
    """
    with _opened(call.node, entry) as folder:
        if not folder.exists(_CONTENT):
            raise ToolError(ErrorCode.NOT_FOUND, "It is no longer in the trash.")
        try:
            transfer.move(call, fence, folder, _CONTENT, place.folder, place.name)
        except FileExistsError:
            raise ToolError(ErrorCode.CONFLICT, f"Something else is at {place.path} now.") from None
    _forget(call.node, entry)


def holds(node: NodeContext, entry: str) -> bool:
    """Whether an entry is still there."""
    return os.path.lexists(_home(node) / entry / _CONTENT)


def purge(node: NodeContext, now: datetime) -> int:
    """Remove for good what has been in the trash for 30 days, and undo records as old.

    May take long; run it in a thread, about once a day. Returns the number of entries removed.
    """
    records.purge(node, now)
    gone = 0
    for path in sorted(_home(node).glob("*")):
        try:
            deleted_at = datetime.strptime(path.name.split("-")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            continue
        if deleted_at < now - KEPT:
            _forget(node, path.name)
            gone += not path.exists()
    return gone


@contextmanager
def _opened(node: NodeContext, entry: str, *, make: bool = False) -> Iterator[Folder]:
    home = _home(node)
    if make:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / entry).mkdir(mode=0o700)
    elif not (home / entry).is_dir():
        raise ToolError(ErrorCode.NOT_FOUND, "It is no longer in the trash.")
    with node.open_data("trash", entry) as folder:
        yield folder


def _note(call: Call, entry: str, place: Place) -> None:
    note = {
        "path": os.fsencode(place.path).decode("utf-8", "backslashreplace"),
        "command_id": call.command_id,
        "tool": call.tool,
        "at": format_instant(call.node.now()),
    }
    (_home(call.node) / entry / "note.json").write_text(json.dumps(note), encoding="ascii")


def _forget(node: NodeContext, entry: str) -> None:
    try:
        with node.open_data("trash") as home:
            content.remove(home, entry)
    except OSError as error:
        logger.warning("Trash entry %s could not be removed: %s", entry, error.strerror)


def _new_name(node: NodeContext) -> str:
    return f"{node.now():%Y%m%dT%H%M%S}-{secrets.token_hex(8)}"


def _home(node: NodeContext) -> Path:
    return node.data_dir / "trash"
