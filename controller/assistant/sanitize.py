"""Text from elsewhere, made fit to be shown to a model or on a terminal.

The one rule: what leaves here cannot steer a terminal, hide from a reader, or
grow beyond its limit. It is still data: clean text can lie.
"""

import re
import unicodedata
from typing import Final

from pydantic import JsonValue

MAX_DEPTH: Final = 16
CUT: Final = "..."  # the one character for it is not NFKC

# characters of category Cc (but tab and line feed), Cf, Cs, Co and Cn are found by category;
# these belong to others and are as invisible
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_LINE_ENDS: Final = re.compile("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_WHITE: Final = re.compile(r"\s+")
_SIGNS: Final = frozenset("/\\.:~")  # what a path is made of


def clean(text: str, limit: int) -> str:
    """At most `limit` characters, NFKC, without control, bidi and invisible characters.

    Lines stay lines. What is cut ends in `CUT`. Cleaning twice is cleaning once.
    """
    return _cleaned(text, limit)[0]


def one_line(text: str, limit: int) -> str:
    """The same without line breaks, for names, messages and log-like output."""
    return _WHITE.sub(" ", clean(text, limit)).strip()


def exact(text: str, limit: int) -> str:
    """One line whose letters and blanks are the text's own, for names and paths shown to a person.

    What cannot be seen, would steer a terminal, or is only drawn like a plain sign
    (a full-width slash) stands there as an escape.
    """
    shown = "".join(_shown(character) for character in text[: limit + 1])
    if len(text) > limit or len(shown) > limit:
        shown = shown[: limit - len(CUT)] + CUT
    return shown if shown == shown.strip() else f"'{shown}'"


def _shown(character: str) -> str:
    drawn_alike = not character.isascii() and unicodedata.normalize("NFKC", character) in _SIGNS
    if drawn_alike or not character.isprintable() or _INVISIBLE.match(character):
        return character.encode("unicode_escape").decode("ascii")
    return character


def bounded(value: JsonValue, limit: int) -> tuple[JsonValue, bool]:
    """The same JSON value with clean texts, and whether something had to be left out.

    About `limit` characters remain: what comes first stays, the rest of a text,
    list or object is left out.
    """
    walk = _Walk(limit)
    kept = walk.value(value, 0)
    return kept, walk.cut


def _cleaned(text: str, limit: int) -> tuple[str, bool]:
    # the slice bounds the work; what a character expands to is cut afterwards
    visible = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text[: limit + 1]))
    kept = "".join(character for character in visible if _is_visible(character))
    normal = unicodedata.normalize("NFKC", kept)
    if len(text) <= limit and len(normal) <= limit:
        return normal, False
    return normal[: max(limit - len(CUT), 0)] + CUT[:limit], True


def _is_visible(character: str) -> bool:
    return character in "\n\t" or not unicodedata.category(character).startswith("C")


class _Walk:
    """One pass over a value with a shrinking budget of characters."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self.cut = False

    def value(self, value: JsonValue, depth: int) -> JsonValue:
        if isinstance(value, str):
            return self._text(value)
        if depth >= MAX_DEPTH and isinstance(value, dict | list):
            self.cut = True
            return CUT
        if isinstance(value, list):
            return self._list(value, depth)
        if isinstance(value, dict):
            return self._object(value, depth)
        self._left -= len(str(value))
        return value

    def _text(self, text: str) -> str:
        cleaned, is_cut = _cleaned(text, max(self._left, len(CUT)))
        self.cut |= is_cut
        self._left -= len(cleaned) + 2
        return cleaned

    def _list(self, items: list[JsonValue], depth: int) -> list[JsonValue]:
        kept: list[JsonValue] = []
        for item in items:
            if self._is_spent():
                break
            kept.append(self.value(item, depth + 1))
        return kept

    def _object(self, members: dict[str, JsonValue], depth: int) -> dict[str, JsonValue]:
        kept: dict[str, JsonValue] = {}
        for key, item in members.items():
            if self._is_spent():
                break
            name = self._text(key)
            self.cut |= name in kept  # two names that only looked different
            kept[name] = self.value(item, depth + 1)
        return kept

    def _is_spent(self) -> bool:
        self._left -= 2
        if self._left <= 0:
            self.cut = True
        return self._left <= 0
