"""What the planner can answer: calls, the last order again, a question back, or a refusal with examples.

A plan is only ever one of these; nothing here runs or decides anything.
"""

from dataclasses import dataclass

from pydantic import JsonValue

from schemas import builtin
from schemas.devices import Risk

# What a question sentence may reach. The permission layer holds the same line by itself.
READ_ONLY = frozenset(
    name
    for name, tool in (builtin.TOOLS | builtin.CONTROLLER_TOOLS).items()
    if tool.hints.read_only and tool.risk.rank <= Risk.MEDIUM.rank
)


@dataclass(frozen=True)
class PlannedCall:
    """One tool call. `device_id` is empty for what the controller answers without one."""

    device_id: str
    tool: str
    arguments: dict[str, JsonValue]


@dataclass(frozen=True)
class Calls:
    """What was asked, in order. `repaired`: understood only after mending somebody's spelling."""

    calls: tuple[PlannedCall, ...]
    repaired: bool


@dataclass(frozen=True)
class Question:
    """What has to be known first, and the answers that would do.

    `phrase` is the part of the sentence that an answer stands for; empty where the
    sentence names no device.
    """

    text: str
    options: tuple[str, ...]
    phrase: str = ""


@dataclass(frozen=True)
class Declined:
    """Why nothing was planned, with sentences that would work."""

    text: str


@dataclass(frozen=True)
class Again:
    """What was ordered last in this conversation, on another device."""

    device_id: str
    repaired: bool = False


Plan = Calls | Question | Declined | Again
