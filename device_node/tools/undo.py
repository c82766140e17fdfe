"""Putting back what an earlier command changed, once, and never over somebody's later work."""

import logging
from collections.abc import Callable
from typing import Any

from device_node.safety.errors import ToolError
from device_node.safety.fence import Fence
from device_node.tools import apps, content, power, records, trash
from device_node.tools.tool import Call, Result
from schemas.errors import ErrorCode

logger = logging.getLogger(__name__)


def undo(call: Call) -> Result:
    """Undo one command. What cannot be undone any more is said, and left as it is."""
    command_id = call.text("command_id")
    record = records.read(call.node, command_id)
    steps: list[records.Step] = record["steps"]
    sentences = [
        _SENTENCES[step["kind"]].format(**{"path": "", "to": "", "name": ""} | step) for step in steps[::-1]
    ]
    if call.dry_run:
        return {"would": " ".join(sentences), "tool": record["tool"]}
    records.claim(call.node, command_id)
    fence = call.node.fence()
    try:
        while steps:
            _STEPS[steps[-1]["kind"]](call, fence, steps[-1])
            steps.pop()
    except BaseException:
        # what was put back stays so; the rest can be tried again
        records.release(call.node, record)
        raise
    logger.info("Command %s was undone by %s", command_id, call.command_id)
    return {"command_id": command_id, "tool": record["tool"], "done": sentences}


def _remove_if_empty(_call: Call, fence: Fence, step: dict[str, Any]) -> None:
    with fence.locate(step["path"], follow=False) as place:
        if place.name:
            place.folder.rmdir(place.name)


def _discard(call: Call, fence: Fence, step: dict[str, Any]) -> None:
    with fence.locate(step["path"], follow=False) as place:
        if not records.is_same(place, step["is"]):
            raise ToolError(ErrorCode.CONFLICT, f"{place.path} was changed since, so it stays.")
        trash.put(call, fence, place)


def _restore(call: Call, fence: Fence, step: dict[str, Any]) -> None:
    with fence.locate(step["path"], follow=False) as place:
        trash.restore(call, fence, step["entry"], place)


def _move_back(call: Call, fence: Fence, step: dict[str, Any]) -> None:
    with (
        fence.locate(step["path"], follow=False) as place,
        fence.locate(step["to"], follow=False) as origin,
    ):
        if not records.is_same(place, step["is"]):
            raise ToolError(ErrorCode.CONFLICT, f"{place.path} was changed since, so it stays.")
        try:
            content.move(call, fence, place.folder, place.name, origin.folder, origin.name)
        except FileExistsError:
            raise ToolError(ErrorCode.CONFLICT, f"Something else is at {origin.path} now.") from None


def _close(call: Call, _fence: Fence, step: dict[str, Any]) -> None:
    apps.close_opened(call, step["pid"], step["started"])


def _cancel_power(call: Call, _fence: Fence, _step: dict[str, Any]) -> None:
    power.cancel(call.node, call.text("command_id"))


_STEPS: dict[str, Callable[[Call, Fence, dict[str, Any]], None]] = {
    "remove_if_empty": _remove_if_empty,
    "discard": _discard,
    "restore": _restore,
    "move_back": _move_back,
    "close": _close,
    "cancel_power": _cancel_power,
}
_SENTENCES = {
    "remove_if_empty": "Remove {path} if it is empty.",
    "discard": "Move {path} to the trash.",
    "restore": "Put the earlier {path} back.",
    "move_back": "Move {path} back to {to}.",
    "close": "Close {name}.",
    "cancel_power": "Cancel what is still waiting.",
}
