"""Moves across file systems that were cut off: at the next start they are put back, or finished.

While such a move copies, its source stands under a hidden name, so that nobody adds to it. A note
says so before, and goes when the move has ended, one way or the other.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from device_node.safety.errors import ToolError, shown
from device_node.safety.folder import Folder
from device_node.tools import content, records
from device_node.tools.tool import NodeContext

logger = logging.getLogger(__name__)


class Note:
    """What must be known of one move to end it in a later life."""

    def __init__(
        self, node: NodeContext, source: Folder, name: str, hidden: str, to: Folder, copied: str
    ) -> None:
        self._path = _folder(node) / f"{hidden}.json"
        self._facts = {
            "name": source.child(name),
            "hidden": source.child(hidden),
            "copied": to.child(copied),
            "arrived": False,
        }

    def begin(self) -> None:
        """Before the source is hidden."""
        records.store(self._path, self._facts)

    def arrived(self) -> None:
        """It is in full at its new place: what is hidden is to be removed."""
        try:
            records.store(self._path, self._facts | {"arrived": True})
        except OSError as error:
            # cut off now, it would be at both places; that is no reason to stop here
            logger.warning("Could not note that a move has arrived: %s", error.strerror)

    def end(self) -> None:
        """Nothing is hidden any more."""
        self._path.unlink(missing_ok=True)


def recover(node: NodeContext) -> None:
    """End the moves that an earlier life had begun. Blocks; before any tool runs."""
    for path in sorted(_folder(node).glob("*.json")):
        try:
            facts = json.loads(path.read_text(encoding="ascii"))
            _end(node, facts)
        except (OSError, ToolError, ValueError, KeyError, TypeError) as error:
            logger.warning("A move that was cut off could not be put back (%s): %s", path, error)
        else:
            path.unlink(missing_ok=True)


def _end(node: NodeContext, facts: dict[str, Any]) -> None:
    if not facts["arrived"]:
        _discard_copy(node, facts["copied"])
    with _located(node, facts["hidden"]) as (folder, hidden):
        if not folder.exists(hidden):
            return
        if facts["arrived"]:
            content.remove(folder, hidden)
            logger.info("What was left of %s is removed: it had been moved", shown(facts["name"]))
            return
        folder.place(hidden, folder, os.path.basename(facts["name"]))  # noqa: PTH119 - it may be no text
        folder.sync()
        logger.info("%s is back: moving it had been cut off", shown(facts["name"]))


def _discard_copy(node: NodeContext, path: str) -> None:
    try:
        with _located(node, path) as (folder, name):
            if folder.exists(name):
                content.discard(folder, name)
    except (ToolError, OSError) as error:
        logger.debug("A half copy stays for now: %s", error)


@contextmanager
def _located(node: NodeContext, path: str) -> Iterator[tuple[Folder, str]]:
    """The folder that holds a path, and its name there: in an allowed folder, or in the node's own trash."""
    above, name = os.path.split(path)
    trash, entry = os.path.split(above)
    if trash == os.path.realpath(node.data_dir / "trash"):
        with node.open_data("trash", entry) as folder:
            yield folder, name
        return
    with node.fence().locate(path, follow=False) as place:
        yield place.folder, place.name


def _folder(node: NodeContext) -> Path:
    return node.data_dir / "moving"
