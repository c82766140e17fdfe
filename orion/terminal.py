"""What a person or a program gets to see: data on stdout, talk on stderr.

Text from devices, files and models is cleaned before it is printed, so that it cannot
steer the terminal. With `json` there is exactly one object on stdout and nobody is asked.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from controller.assistant import sanitize

if TYPE_CHECKING:  # loaded only where something is drawn
    from rich.console import Console

MAX_SHOWN = 200_000  # characters of one text
MAX_CELL = 300


class Terminal:
    """Where one command speaks. `json`: for a program, which wants one object."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self._whispers = False
        self.talks = True  # whoever leads a program says its sentences instead

    @property
    def asks(self) -> bool:
        """Whether there is somebody to ask."""
        return not self.json and sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def draws(self) -> bool:
        """Whether stdout is looked at by a person rather than read by a program."""
        return not self.json and sys.stdout.isatty()

    @cached_property
    def out(self) -> "Console":
        """Stdout with colours and tables, where it is a terminal that has them."""
        return _console(stderr=False)

    @cached_property
    def err(self) -> "Console":
        """The same for stderr."""
        return _console(stderr=True)

    def whisper(self, text: str) -> None:
        """A piece of what is being said, as it comes, for whoever looks on; the whole comes later."""
        if self.talks and not self.json and sys.stderr.isatty():
            self.err.print(sanitize.clean(text, MAX_SHOWN), style="dim", end="", soft_wrap=True)
            self._whispers = True

    def say(self, text: str, style: str = "") -> None:
        """Talk: to stderr, a line or more."""
        if not self.talks:
            return
        self._end_whisper()
        shown = sanitize.clean(text, MAX_SHOWN)
        if sys.stderr.isatty():
            self.err.print(shown, style=style, soft_wrap=True)
        else:
            sys.stderr.write(shown + "\n")

    def write(self, text: str, style: str = "") -> None:
        """Data for a person: to stdout, nothing with `json`."""
        if self.json:
            return
        self._end_whisper()
        shown = sanitize.clean(text, MAX_SHOWN)
        if self.draws:
            self.out.print(shown, style=style, soft_wrap=True)
        else:
            sys.stdout.write(shown + "\n")
            sys.stdout.flush()

    def answer(self, data: Mapping[str, Any]) -> bool:
        """With `json`: print the one object, and say that nothing else is wanted."""
        if self.json:
            # ASCII only: whatever a device wrote is an escape in here
            sys.stdout.write(json.dumps(data) + "\n")
            sys.stdout.flush()
        return self.json

    def items(self, items: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, none: str) -> None:
        """A list of things as a table; tab-separated where nobody looks. `columns`: heading by key."""
        if self.answer({"items": list(items)}):
            return
        if not items:
            self.say(none)
            return
        self.table(list(columns.values()), [[_cell(item.get(key)) for key in columns] for item in items])

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows under headings."""
        if not self.draws:
            for row in (headings, *rows):
                self.write("\t".join(sanitize.one_line(cell, MAX_CELL) for cell in row))
            return
        from rich import box  # a short command without tables starts faster
        from rich.table import Table
        from rich.text import Text

        drawn = Table(*headings, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            drawn.add_row(*(Text(sanitize.one_line(cell, MAX_CELL), overflow="fold") for cell in row))
        self.out.print(drawn)

    def facts(self, data: Mapping[str, Any]) -> None:
        """One thing, a line for each of its facts."""
        width = max((len(name) for name in data), default=0)
        for name, value in data.items():
            if value not in (None, "", [], {}):
                self.write(f"{name.replace('_', ' '):{width}}  {_cell(value)}")

    def confirm(self, question: str) -> bool:
        """Ask y/N. Without somebody to ask: no."""
        return self._read(f"{question} [y/N] ").strip().lower() in ("y", "yes", "j", "ja")

    def choose(self, options: Sequence[str]) -> str | None:
        """Let a person pick by number or say something else; None without an answer."""
        for number, option in enumerate(options, 1):
            self.say(f"  {number}. {sanitize.one_line(option, MAX_CELL)}")
        said = self._read("> ").strip()
        if said.isdecimal() and 1 <= int(said) <= len(options):
            return options[int(said) - 1]
        return said or None

    def _end_whisper(self) -> None:
        if self._whispers:
            self._whispers = False
            sys.stderr.write("\n")
            sys.stderr.flush()

    def _read(self, prompt: str) -> str:
        if not self.asks:
            return ""
        sys.stderr.write(prompt)
        sys.stderr.flush()
        return sys.stdin.readline()


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console  # a short command without colours starts faster

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value) or "-"
    return json.dumps(value, ensure_ascii=False)
