"""Values and texts as they may be printed: to the letter, what steers a terminal or cannot be seen as an escape."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from controller.assistant import sanitize

MAX_SHOWN = 200_000  # characters of one text
MAX_CELL = 300

_MOMENT = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d\.\d{3}Z")
_UNUSUAL = re.compile(r"[^\n\t -~]")


def shown(text: str) -> str:
    """A text of one or more lines as it may be printed: to the letter, what cannot be seen as an escape."""
    if len(text) > MAX_SHOWN:
        text = text[: MAX_SHOWN - len(sanitize.CUT)] + sanitize.CUT
    return _UNUSUAL.sub(_visible, text.replace("\r\n", "\n"))


def _visible(found: re.Match[str]) -> str:
    character = found[0]
    is_seen = sanitize.clean(character, MAX_CELL).strip("\n")
    return character if is_seen else character.encode("unicode_escape").decode("ascii")


def fact(value: Any) -> str:
    """A value beside its name: blanks around it are told by quotes; what has lines, as a file's content, keeps them."""
    text = cell(value)
    return text if isinstance(value, str) and "\n" in text else sanitize.exact(text, MAX_SHOWN)


def moment(instant: str, form: str = "%H:%M:%S") -> str:
    """A moment as the clock on the wall shows it here; with the date when it is not today."""
    at = datetime.fromisoformat(instant).astimezone()
    is_today = at.date() == datetime.now(UTC).astimezone().date()
    return at.strftime(form if is_today else f"%Y-%m-%d {form}")


def looked_at(value: Any) -> str:
    """A cell for a person: of a moment, what matters."""
    is_moment = isinstance(value, str) and _MOMENT.fullmatch(value)
    return moment(value) if is_moment else cell(value)


def cell(value: Any) -> str:
    """A value in a table that a program may read."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value) or "-"
    return json.dumps(value, ensure_ascii=False)
