"""What people type, as values: durations, moments, rates, `key=value`, a condition.

Each reader raises `typer.BadParameter`, which says what would have been understood.
"""

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

Json = dict[str, Any]

LONGEST = 7 * 86_400.0  # seconds that an order may wait
YEAR = 365 * 86_400.0  # seconds
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s?([smhd]?)")
_RATE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s?(?:/\s?([smh]))?")
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def duration(text: str, *, longest: float = LONGEST, shortest: float = 0.0) -> float:
    """The seconds of `30s`, `10m`, `2h`, `1d` or `90`."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration; write 30s, 10m, 2h, 1d or a number of seconds")
    seconds = float(found[1]) * _UNITS[found[2]]
    if not 0 < seconds <= longest:
        raise typer.BadParameter(f"{text!r} must be more than 0 and at most {longest / _UNITS['d']:.0f}d")
    if seconds < shortest:
        raise typer.BadParameter(f"{text!r} is too short: it must be at least {shortest:g}s")
    return seconds


def cron(text: str) -> str:
    """A cron as it was typed. One field alone is what a shell leaves of one without quotes."""
    if len(text.split()) == 1:
        raise typer.BadParameter(
            f"{text!r} is not five fields; put them in quotes: --cron '0 7 * * 1-5'", param_hint="--cron"
        )
    return text


def instant(text: str, *, now: datetime, option: str) -> datetime:
    """The moment that `30d` (so long ago), `2026-11-01` or `2026-11-01T08:30` is; without a zone, by the clock here."""
    found = _DURATION.fullmatch(text.strip())
    if found is not None and found[2]:
        return now - timedelta(seconds=duration(text, longest=10 * YEAR))
    try:
        if found is None:
            return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError, OSError):  # no such day, or beyond what a clock here can show
        pass
    raise typer.BadParameter(
        f"{text!r} is no moment; write 30d or 12h for so long ago, 2026-11-01 or 2026-11-01T08:30",
        param_hint=option,
    )


def rate(text: str) -> float:
    """How many per second `5`, `5/s`, `30/m` or `100/h` means."""
    found = _RATE.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise typer.BadParameter(f"{text!r} is no rate; write 5 or 5/s, 30/m, 100/h")
    return float(found[1]) / _UNITS[found[2] or "s"]


def arguments(words: Sequence[str], properties: Mapping[str, Any]) -> Json:
    """`key=value` words as a tool's arguments, each of the kind that the tool's schema wants.

    Raises:
        typer.BadParameter: a word without `=`, or a key twice.
    """
    found: Json = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{word!r} is not KEY=VALUE", param_hint="KEY=VALUE")
        if key in found:
            raise typer.BadParameter(f"{key!r} is given twice", param_hint="KEY=VALUE")
        found[key] = _value(text, properties.get(key))
    return found


def condition(text: str, properties: Callable[[str], Mapping[str, Any]]) -> str | Json:
    """`online`, or `TOOL [KEY=VALUE]... [FIELD]`; `properties` tells what a tool's schema says of arguments.

    Raises:
        typer.BadParameter: it is neither.
    """
    try:
        words = _split(text)
    except ValueError:
        raise typer.BadParameter(f"a quote in {text!r} is not closed", param_hint="--if") from None
    if words == ["online"]:
        return "online"
    bare = [word for word in words[1:] if "=" not in word]
    if not words or "=" in words[0] or len(bare) > 1 or (bare and words[-1] != bare[0]):
        raise typer.BadParameter(
            f"{text!r} is neither 'online' nor 'TOOL [KEY=VALUE]... [FIELD]', "
            "as in --if 'path_info path=~/Backup exists'",
            param_hint="--if",
        )
    tool, given = words[0], words[1 : len(words) - len(bare)]
    found: Json = {"tool": tool, "arguments": arguments(given, properties(tool))}
    return found | ({"field": bare[0]} if bare else {})


def _split(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = ""  # a path on Windows keeps its backslashes
    return list(lexer)


def _value(text: str, schema: Any) -> Any:
    wanted = schema.get("type", "string") if isinstance(schema, dict) else "string"
    names = wanted if isinstance(wanted, list) else [wanted]
    try:
        value = json.loads(text)
    except ValueError:
        return text
    for name in names:
        kinds = _KINDS.get(str(name), ())
        # In Python a bool is an int; in JSON it is not.
        if isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)) and str not in kinds:
            return value
    return text
