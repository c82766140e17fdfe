"""The taint gate: what may still happen by itself once the model has read text from elsewhere.

The one rule: after that moment a side effect runs only if the plan made before it
holds its tool and device, and every argument comes from the user or the registry.
Pure: no model, no clock, no store.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from pydantic import JsonValue

from controller.assistant import sanitize

_QUOTES: Final = "\"'`“”„‟‘’‚‛«»‹›"  # noqa: RUF001 - the quotes that people really type
_BEFORE: Final = rf"(?<!\S)[{re.escape(_QUOTES + '([{<¿¡')}]*"
_AFTER: Final = rf"[{re.escape(_QUOTES + ')]}>.,;:!?…')}]*(?!\S)"
_SEPARATORS: Final = re.compile(r"[/\\]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
MAX_PARTS: Final = 32  # of a path
LARGEST: Final = 10**15  # a number that a person still types


class Call(Protocol):
    """A call as the gate sees it."""

    @property
    def device_id(self) -> str: ...
    @property
    def tool(self) -> str: ...
    @property
    def arguments(self) -> dict[str, JsonValue]: ...


class TaintGate:
    """One turn's memory of what was planned before untrusted text came in.

    `user_text` is what the user typed, of this turn only; `registry_ids` are names
    that the owner or the controller gave: device ids, and the allowed paths and home
    folders under which a path may lie. A turn that an event or a schedule started is
    born tainted and has no plan.
    """

    def __init__(
        self, user_text: str, registry_ids: Iterable[str] = (), *, born_tainted: bool = False
    ) -> None:
        self._text = _normal(user_text)
        self._registry = frozenset(_normal(name).rstrip("/\\") for name in registry_ids) - {""}
        self._plan: set[tuple[str, str]] = set()
        self._tainted = born_tainted

    @property
    def tainted(self) -> bool:
        """Whether the model has seen text that neither the user nor the owner wrote."""
        return self._tainted

    def propose(self, calls: Iterable[Call]) -> None:
        """Calls of one reply. While clean they are the plan; afterwards they change nothing."""
        if not self._tainted:
            self._plan.update((call.tool, call.device_id) for call in calls)

    def taint(self) -> None:
        """A tool result, file, event or memory is about to be shown to the model."""
        self._tainted = True

    def ungrounded(self, call: Call) -> list[str]:
        """Why this side effect needs a person, as sentences for the approval; empty when it does not.

        To be asked of calls that change something, before any call of the same reply runs.
        """
        if not self._tainted:
            return []
        reasons = []
        if (call.tool, call.device_id) not in self._plan:
            reasons.append(
                f"{call.tool} on {call.device_id} was not planned before text from elsewhere was read."
            )
        for name, value in call.arguments.items():
            strange = [item for item in _leaves(value) if not self._is_grounded(item)]
            if strange:
                shown = sanitize.one_line(_shown(strange[0]), 80)
                reasons.append(
                    f"The argument {sanitize.one_line(name, 64)} did not come from the user: “{shown}”."
                )
        return reasons

    def _is_grounded(self, value: JsonValue) -> bool:
        if isinstance(value, bool) or value is None:
            return False  # no word of the user's says which
        if isinstance(value, int | float):
            return any(self._is_said(text) for text in _spellings(value))
        if not isinstance(value, str) or _CONTROL.search(value):
            return False
        text = _normal(value)
        if ".." in _SEPARATORS.split(text):
            return False
        return self._is_known(text) or (bool(_SEPARATORS.search(text)) and self._is_made_of_known(text))

    def _is_known(self, text: str) -> bool:
        return text in self._registry or self._is_said(text)

    def _is_said(self, text: str) -> bool:
        """Whether the user wrote this: whole words, in this order, in this letter case."""
        if not text or len(text) > len(self._text):
            return False
        return re.search(rf"{_BEFORE}{re.escape(text)}[/\\]?{_AFTER}", self._text) is not None

    def _is_made_of_known(self, path: str) -> bool:
        """Whether the path can be cut into known pieces, its beginning included.

        “/etc” and “orion” were said: /etc/orion is made of them, /orion is not,
        because nobody spoke of a folder at that place.
        """
        path = path.rstrip("/\\")
        parts = _SEPARATORS.split(path)
        if len(parts) > MAX_PARTS or not all(parts[1:]):
            return False
        starts = [0, *(match.end() for match in _SEPARATORS.finditer(path)), len(path) + 1]
        # from the end: whether what begins at a part is one known piece and then more such pieces
        known_from = {len(parts): True}
        for begin in reversed(range(len(parts))):
            known_from[begin] = any(
                known_from[end] and self._is_known(path[starts[begin] : starts[end] - 1])
                for end in range(begin + 1, len(parts) + 1)
            )
        return known_from[0]


def _leaves(value: JsonValue) -> Iterator[JsonValue]:
    """Everything in a value that carries meaning: names inside objects too, and that there is nothing."""
    if value in ([], {}):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _leaves(item)
    else:
        yield value


def _spellings(number: float) -> Iterator[str]:
    if abs(number) < LARGEST:
        yield str(number)
        yield str(number).replace(".", ",")
        if number == int(number):
            yield str(int(number))


def _shown(value: JsonValue) -> str:
    if isinstance(value, int) and abs(value) >= LARGEST:
        return "a very large number"  # which Python may refuse to spell
    return value if isinstance(value, str) else json.dumps(value)


def _normal(text: str) -> str:
    """Letters in one form and white space as single blanks; letter case counts."""
    return " ".join(unicodedata.normalize("NFC", text).split())
