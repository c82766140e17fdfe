"""Putting back what an earlier command changed, once, and never over somebody's later work."""

import logging
from collections.abc import Callable

from device_node.safety.errors import ToolError
from device_node.safety.fence import Fence, Place
from device_node.tools import apps, power, records, transfer, trash
from device_node.tools.tool import Call, Result
from schemas.errors import ErrorCode

logger = logging.getLogger(__name__)


def undo(call: Call) -> Result:
    """Undo one command. What cannot be undone any more is said, and left as it is."""
    command_id = call.text("command_id")
    record = records.read(call.node, command_id)
    steps: list[records.Step] = record["steps"]
    fence = call.node.fence()
    if call.dry_run:
        gone: set[str] = set()
        for step in steps[::-1]:
            _LOOKS[step["kind"]](call, fence, step, gone)
        return {
            "would": " ".join(_said(_PLANS, steps)),
            "command_id": command_id,
            "tool": record["tool"],
            "undo": False,
        }
    done = _said(_DEEDS, steps)
    with records.claimed(call.node, record) as keep:
        while steps:
            _STEPS[steps[-1]["kind"]](call, fence, steps[-1])
            steps.pop()
            keep()
    logger.info("Command %s was undone by %s", command_id, call.command_id)
    return {"command_id": command_id, "tool": record["tool"], "done": done}


def _said(sentences: dict[str, str], steps: list[records.Step]) -> list[str]:
    return [
        sentences[step["kind"]].format(**{"path": "", "to": "", "name": ""} | step) for step in steps[::-1]
    ]


def _remove_if_empty(_call: Call, fence: Fence, step: records.Step) -> None:
    with fence.locate(step["path"], follow=False) as place:
        if place.name and place.exists():
            place.folder.rmdir(place.name)


def _discard(call: Call, fence: Fence, step: records.Step) -> None:
    with fence.locate(step["path"], follow=False) as place:
        if place.exists():
            _refuse_changed(place, step)
            trash.put(call, fence, place)


def _restore(call: Call, fence: Fence, step: records.Step) -> None:
    with fence.locate(step["path"], follow=False) as place:
        trash.restore(call, fence, step["entry"], place)
        # it may be a copy: for the commands before, it is what they left all the same
        records.recognise(call.node, place, was=step.get("was"))


def _move_back(call: Call, fence: Fence, step: records.Step) -> None:
    with (
        fence.locate(step["path"], follow=False) as place,
        fence.locate(step["to"], follow=False) as origin,
    ):
        if not place.exists() and records.is_same(origin, step["is"]):
            return  # somebody was faster
        _refuse_changed(place, step)
        try:
            transfer.move(call, fence, place.folder, place.name, origin.folder, origin.name)
        except FileExistsError:
            raise ToolError(ErrorCode.CONFLICT, f"Something else is at {origin.path} now.") from None


def _close(call: Call, _fence: Fence, step: records.Step) -> None:
    apps.close_opened(call, step["pid"], step["started"])


def _cancel_power(call: Call, _fence: Fence, _step: records.Step) -> None:
    power.cancel(call.node, call.text("command_id"))


def _refuse_changed(place: Place, step: records.Step) -> None:
    if not records.is_same(place, step["is"]):
        raise ToolError(ErrorCode.CONFLICT, f"{place.path} was changed since, so it stays.")


def _refuse_occupied(place: Place, gone: set[str]) -> None:
    if place.exists() and place.path not in gone:
        raise ToolError(ErrorCode.CONFLICT, f"Something else is at {place.path} now.")


# what a dry run looks at; `gone` are the paths that the steps before would have left free


def _look_empty(_call: Call, fence: Fence, step: records.Step, gone: set[str]) -> None:
    with fence.locate(step["path"], follow=False) as place:
        if place.exists():
            with place.opened() as folder, folder.scan() as entries:
                if any(folder.child(entry.name) not in gone for entry in entries):
                    raise ToolError(ErrorCode.CONFLICT, f"{place.path} is not empty.")
        gone.add(place.path)


def _look_unchanged(_call: Call, fence: Fence, step: records.Step, gone: set[str]) -> None:
    with fence.locate(step["path"], follow=False) as place:
        if place.exists():
            _refuse_changed(place, step)
        gone.add(place.path)


def _look_restorable(call: Call, fence: Fence, step: records.Step, gone: set[str]) -> None:
    if not trash.holds(call.node, step["entry"]):
        raise ToolError(ErrorCode.NOT_FOUND, "It is no longer in the trash.")
    with fence.locate(step["path"], follow=False) as place:
        _refuse_occupied(place, gone)


def _look_movable(_call: Call, fence: Fence, step: records.Step, gone: set[str]) -> None:
    with (
        fence.locate(step["path"], follow=False) as place,
        fence.locate(step["to"], follow=False) as origin,
    ):
        if not place.exists() and records.is_same(origin, step["is"]):
            return
        _refuse_changed(place, step)
        _refuse_occupied(origin, gone)
        gone.add(place.path)


def _look_running(_call: Call, _fence: Fence, step: records.Step, _gone: set[str]) -> None:
    apps.refuse_ended(step["pid"], step["started"])


def _look_waiting(call: Call, _fence: Fence, _step: records.Step, _gone: set[str]) -> None:
    power.refuse_past(call.node, call.text("command_id"))


_LOOKS: dict[str, Callable[[Call, Fence, records.Step, set[str]], None]] = {
    "remove_if_empty": _look_empty,
    "discard": _look_unchanged,
    "restore": _look_restorable,
    "move_back": _look_movable,
    "close": _look_running,
    "cancel_power": _look_waiting,
}
_STEPS: dict[str, Callable[[Call, Fence, records.Step], None]] = {
    "remove_if_empty": _remove_if_empty,
    "discard": _discard,
    "restore": _restore,
    "move_back": _move_back,
    "close": _close,
    "cancel_power": _cancel_power,
}
_DEEDS = {
    "remove_if_empty": "Removed {path}.",
    "discard": "Moved {path} to the trash.",
    "restore": "Put the earlier {path} back.",
    "move_back": "Moved {path} back to {to}.",
    "close": "Closed {name}.",
    "cancel_power": "Cancelled what was still waiting.",
}
_PLANS = {
    "remove_if_empty": "Remove {path} if it is empty.",
    "discard": "Move {path} to the trash.",
    "restore": "Put the earlier {path} back.",
    "move_back": "Move {path} back to {to}.",
    "close": "Close {name}.",
    "cancel_power": "Cancel what is still waiting.",
}
