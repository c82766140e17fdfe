"""Candidate devices and their adopted tools become functions for a model, and its calls become proposals.

The one rule: what comes out names a device and a tool that were shown. Everything
else is a `Problem`, told to the model in a sentence that says what would be right.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from controller.assistant import sanitize
from controller.assistant.candidates import KnownDevice
from controller.assistant.providers.provider import ToolCall, ToolSpec
from controller.assistant.toolbox.shelf import ASK_USER, DEVICE, Entry, entries, read_only
from schemas.devices import Tool
from schemas.errors import ErrorCode

logger = logging.getLogger(__name__)

MAX_DEVICES = 5  # shown at once; so a prompt is as long with 500 devices as with 5
MAX_TOOLS = 80
MAX_CHARACTERS = 30_000  # of all tools together
MAX_QUESTION = 500  # characters
MAX_OPTIONS = 8


@dataclass(frozen=True, slots=True)
class Offer:
    """What one candidate device brings: its adopted tools and no others."""

    device: KnownDevice
    tools: tuple[Tool, ...]


@dataclass(frozen=True, slots=True)
class Proposed:
    """A call that can be submitted. `device_id` is empty for what the controller answers without one."""

    device_id: str
    tool: str
    arguments: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Asked:
    """The model wants to know something from the person."""

    question: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a call cannot be submitted, for the model to read."""

    code: ErrorCode
    message: str


class Toolbox:
    """The tools of one turn.

    Offers come best first; `question` is whether the person asked rather than told.
    """

    def __init__(self, offers: Sequence[Offer], *, question: bool) -> None:
        shown = offers[:MAX_DEVICES]
        self._devices = {offer.device.device_id: offer.device for offer in shown}
        every = entries(shown)
        usable = [entry for entry in every if not question or read_only(entry.tool)]
        self._entries = {entry.name: entry for entry in _bounded(usable)}
        self._withheld = {entry.name for entry in every} - {entry.name for entry in usable}
        self.left_out = len(usable) - len(self._entries)
        if self.left_out:
            logger.info("Left %d tools out of the prompt", self.left_out)

    @property
    def specs(self) -> list[ToolSpec]:
        """What the model is shown, always in the same order."""
        shown = [entry.spec for entry in self._entries.values()]
        return sorted([ASK_USER, *shown], key=lambda spec: spec.name)

    def read(self, call: ToolCall) -> Proposed | Asked | Problem:
        """What a model's call means. Its arguments are not judged here."""
        if call.name == ASK_USER.name:
            return _asked(call.arguments)
        entry = self._entries.get(call.name)
        if entry is None:
            return self._unknown_tool(call.name)
        if not entry.devices:
            return Proposed("", entry.tool.name, entry.arguments(call.arguments, ""))
        device = self._device(entry, call.arguments)
        if isinstance(device, Problem):
            return device
        return Proposed(device, entry.tool.name, entry.arguments(call.arguments, device))

    def _device(self, entry: Entry, arguments: dict[str, JsonValue]) -> str | Problem:
        given = [arguments.get(key) for key in entry.device_keys]
        if not all(isinstance(value, str | None) for value in given):
            return Problem(ErrorCode.INVALID_ARGUMENTS, f"{DEVICE} must be one id, as text.")
        named = {value.strip() for value in given if isinstance(value, str) and value.strip()}
        if len(named) > 1:
            return Problem(
                ErrorCode.INVALID_ARGUMENTS, "One call goes to one device; make one call for each."
            )
        if not named:
            if len(entry.devices) == 1:
                return entry.devices[0]
            return Problem(
                ErrorCode.INVALID_ARGUMENTS,
                f"{DEVICE} is missing. It can be {_listed(entry.devices)}; if you cannot tell which, use ask_user.",
            )
        device = named.pop()
        return device if device in entry.devices else self._wrong_device(entry, device)

    def _wrong_device(self, entry: Entry, device: str) -> Problem:
        if device not in self._devices:
            return Problem(
                ErrorCode.UNKNOWN_DEVICE,
                f"There is no device {_quoted(device)} here. {entry.name} works on {_listed(entry.devices)}; "
                "if the user means another one, use ask_user.",
            )
        for other in self._entries.values():
            if other.tool.name == entry.tool.name and device in other.devices:
                return Problem(ErrorCode.UNKNOWN_TOOL, f"On {device} this tool is called {other.name}.")
        return Problem(
            ErrorCode.UNKNOWN_TOOL,
            f"{device} does not have {entry.name}; only {_listed(entry.devices)} does. Do not use another device "
            "than the user meant: say that it is not possible there.",
        )

    def _unknown_tool(self, name: str) -> Problem:
        if name in self._withheld:
            return Problem(
                ErrorCode.PERMISSION_DENIED,
                f"{name} is not for answering a question: it changes something or risks too much. Answer with what "
                "can be read, and say what the user could ask to have done.",
            )
        known = _listed([spec.name for spec in self.specs])
        return Problem(ErrorCode.UNKNOWN_TOOL, f"There is no tool {_quoted(name)}. There are {known}.")


def _bounded(usable: Sequence[Entry]) -> list[Entry]:
    kept: list[Entry] = []
    left = MAX_CHARACTERS
    for entry in usable[:MAX_TOOLS]:
        left -= entry.size
        if left < 0:
            break
        kept.append(entry)
    return kept


def _asked(arguments: dict[str, JsonValue]) -> Asked | Problem:
    question, options = arguments.get("question"), arguments.get("options")
    if not isinstance(question, str) or not (asked := sanitize.one_line(question, MAX_QUESTION)):
        return Problem(ErrorCode.INVALID_ARGUMENTS, "ask_user needs a question.")
    if not isinstance(options, list | None):
        return Problem(ErrorCode.INVALID_ARGUMENTS, "options must be a list of short answers.")
    cleaned = [sanitize.one_line(option, 100) for option in options or () if isinstance(option, str)]
    return Asked(asked, tuple(dict.fromkeys(option for option in cleaned if option))[:MAX_OPTIONS])


def _quoted(text: str) -> str:
    return f"“{sanitize.one_line(text, 80)}”"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "none"
