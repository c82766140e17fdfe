"""What a tool is: a function from a checked call to a small JSON object.

It runs in a worker thread and may block. It looks at `call.cancelled` whenever it
loops or waits, changes nothing in a dry run, and raises nothing but `ToolError`
for what it foresees.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic_core import to_json

from device_node.safety.descriptors import DescriptorFolder
from device_node.safety.errors import ToolError
from device_node.safety.fence import Fence
from device_node.safety.folder import Folder
from device_node.safety.policy import LocalPolicy
from device_node.safety.rechecked import PathFolder
from schemas.builtin import MAX_RESULT_BYTES
from schemas.devices import Tool
from schemas.errors import ErrorCode
from schemas.wire import JsonObject

__all__ = [
    "BuiltIn",
    "Call",
    "NodeContext",
    "NodeControl",
    "PowerSwitch",
    "Result",
    "Run",
    "ToolError",
    "fitting",
    "size_of",
]

Result = dict[str, Any]  # JSON values only


class NodeControl(Protocol):
    """What the program around the tools can do with itself."""

    can_update: bool

    def restart(self) -> None:
        """Ask the program to stop and start again; the reply still leaves before."""

    def reload(self) -> Result:
        """Read settings and policy again; the answer says what is in force now.

        Raises:
            ToolError: `invalid_arguments` when a file is wrong; the old rules stay.
        """

    def update(self) -> Result:
        """Bring the program to its newest version; only asked when `can_update`."""


@dataclass
class PowerSwitch:
    """The one restart or shutdown that waits for its moment, if any."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    timer: threading.Timer | None = None
    command_id: str = ""
    at: datetime | None = None


@dataclass
class NodeContext:
    """What tools need of the node. `policy` is replaced as a whole when it is read again.

    `now` is right where the device's own clock may be wrong.

    `data_dir` and `own` are closed to every tool, also inside an allowed folder:
    otherwise a call could rewrite the policy that judges it.
    """

    policy: LocalPolicy
    data_dir: Path
    control: NodeControl
    home: Path = field(default_factory=Path.home)
    own: Sequence[Path] = ()
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    power: PowerSwitch = field(default_factory=PowerSwitch)
    undoing: set[str] = field(default_factory=set)  # commands that are being undone right now

    def fence(self) -> Fence:
        """The allowed folders as they stand now."""
        return Fence(self.policy, (self.data_dir, *self.own))

    def open_data(self, *names: str) -> Folder:
        """A folder of the node's own data, held open; only the node's own parts ask for it."""
        path = os.path.realpath(self.data_dir.joinpath(*names))
        return PathFolder(path) if sys.platform == "win32" else DescriptorFolder.at(path)


@dataclass
class Call:
    """One call of one tool, its arguments checked."""

    command_id: str
    tool: str
    arguments: JsonObject
    node: NodeContext
    dry_run: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)
    heard: threading.Event = field(default_factory=threading.Event)  # it stops, and may be tidying up
    progress: Callable[[float], None] = lambda _fraction: None
    started: Callable[[], None] = lambda: None  # for the runner: the start is written down
    undo_note: str = ""  # why it cannot be undone, where it otherwise could

    def text(self, name: str) -> str:
        value = self.arguments[name]
        if not isinstance(value, str):
            raise ToolError(ErrorCode.INVALID_ARGUMENTS, f"{name} must be text.")
        return value

    def whole(self, name: str, default: int) -> int:
        value = self.arguments.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ToolError(ErrorCode.INVALID_ARGUMENTS, f"{name} must be a whole number.")
        return int(value)

    def flag(self, name: str) -> bool:
        return self.arguments.get(name, False) is True

    def go_on(self) -> None:
        """Raise `cancelled` when the caller no longer waits."""
        if self.cancelled.is_set():
            self.heard.set()
            raise ToolError(ErrorCode.CANCELLED, f"{self.tool} was stopped before it was done.")

    def rest(self, seconds: float) -> None:
        """Wait, and wake at once when the call is cancelled."""
        if self.cancelled.wait(seconds):
            self.go_on()


Run = Callable[[Call], Result]


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A tool of this node: what it says it is, and what it does.

    `resumable` is its author's word that a run which was cut off may simply be run again:
    it only looks, and the answer is that of the moment anyway.
    """

    spec: Tool
    function: Run
    resumable: bool = False

    def run(self, call: Call) -> Result:
        """Do it.

        Raises:
            ToolError: it was not done, or not in full; the message says which.
        """
        call.go_on()
        result = self.function(call)
        if call.undo_note:
            result = {**result, "undo_note": call.undo_note}
        return fitting(result)


def fitting(result: Result) -> Result:
    """The result, if it is small enough to travel.

    Raises:
        ToolError: `payload_too_large`, with the size.
    """
    if (size := size_of(result)) > MAX_RESULT_BYTES:
        raise ToolError(
            ErrorCode.PAYLOAD_TOO_LARGE,
            f"The result is {size} bytes; at most {MAX_RESULT_BYTES} can travel.",
            {"size": size, "limit": MAX_RESULT_BYTES},
        )
    return result


def size_of(result: Result) -> int:
    """The size of a result as it travels, in bytes."""
    return len(to_json(result, inf_nan_mode="null"))
