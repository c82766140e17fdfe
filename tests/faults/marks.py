"""Tools that leave a mark on disk for each effect, and the reading of those marks.

A mark is one appended line, written in the very moment of the effect: it is counted
outside of Orion's own books, and nothing but a tool that ran can have made it.
"""

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device_node import tools
from device_node.safety.errors import ToolError
from device_node.tools.tool import BuiltIn, Call, Result, Run
from schemas import builtin
from schemas.devices import Tool
from schemas.errors import ErrorCode

QUICK, SLOW, DEAF, FAILING, LOOK = "mark_quick", "mark_slow", "mark_deaf", "mark_failing", "mark_look"
RESUMABLE = frozenset({LOOK})  # may leave its mark more than once

_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "number": {"type": "integer", "description": "Which submit this is."},
        "seconds": {"type": "number", "minimum": 0, "maximum": 10, "default": 0, "description": "How long."},
    },
    "required": ["number"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Marks:
    """What took effect, how often, as the file says."""

    counts: Counter[str]

    @classmethod
    def read(cls, path: Path) -> "Marks":
        lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
        return cls(Counter(lines))


def install(path: Path) -> None:
    """Give this process the tools, as if they were built in."""
    for name, run in _runs(path).items():
        spec = Tool.model_validate(
            {
                "name": name,
                "description": "Leaves a mark for the harness.",
                "parameters": _PARAMETERS,
                "risk": "low",
                "annotations": {
                    "readOnlyHint": name == LOOK,
                    "idempotentHint": name == LOOK,
                    "destructiveHint": False,
                },
            },
            strict=False,
        )
        builtin.TOOLS[name] = spec
        tools.TOOLS[name] = _made(spec, run)


def _made(spec: Tool, run: Run) -> BuiltIn:
    return BuiltIn(spec, run, resumable=spec.name in RESUMABLE)


def _runs(path: Path) -> dict[str, Run]:
    def mark(call: Call) -> Result:
        line = f"{call.command_id}\n".encode("ascii")
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
        return {"marked": True, "number": call.arguments["number"]}

    def slow(call: Call) -> Result:
        call.rest(_seconds(call))
        return mark(call)

    def deaf(call: Call) -> Result:
        time.sleep(_seconds(call))  # hears no request to stop
        return mark(call)

    def failing(_call: Call) -> Result:
        raise ToolError(ErrorCode.CONFLICT, "It fails, as it is meant to.")

    return {QUICK: mark, SLOW: slow, DEAF: deaf, FAILING: failing, LOOK: slow}


def _seconds(call: Call) -> float:
    return float(str(call.arguments.get("seconds", 0)))
