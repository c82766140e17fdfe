"""Where a command speaks to a person or a program, and asks a person."""

import getpass
import json
import re
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from controller.assistant import sanitize
from orion.terminal import tables, values

if TYPE_CHECKING:  # loaded only where something is drawn
    from rich.console import Console

MAX_SECRET = 4096  # characters of one that is read from stdin
MARK = "bold yellow"  # of a word that was looked for
WAITS_SILENTLY = 3.0  # seconds before somebody who waits is told for whom
YES = frozenset({"y", "yes", "j", "ja"})
NO = frozenset({"n", "no", "nee", ""})

_WORD = re.compile("[^\\W_](?:[^\\W_]|[\u0300-\u036f])*")


class Terminal:
    """Where one command speaks. `json`: for a program, which wants one object."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self._whispered = ""
        self.talks = True  # whoever leads a program says its sentences instead

    @property
    def asks(self) -> bool:
        """Whether there is somebody to ask."""
        return not self.json and sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def draws(self) -> bool:
        """Whether stdout is looked at by a person rather than read by a program."""
        return not self.json and sys.stdout.isatty()

    @property
    def watched(self) -> bool:
        """Whether somebody looks on while something takes its time."""
        return not self.json and sys.stderr.isatty()

    @cached_property
    def out(self) -> "Console":
        """Stdout with colours and tables, where it is a terminal that has them."""
        return _console(stderr=False)

    @cached_property
    def err(self) -> "Console":
        """The same for stderr."""
        return _console(stderr=True)

    def whisper(self, text: str) -> None:
        """A piece of what is being said, as it comes, for whoever looks on; `conclude` says the whole."""
        if self.talks and self.watched:
            self.err.print(values.shown(text), end="", soft_wrap=True)
            self._whispered += text

    def conclude(self, text: str) -> None:
        """Data for a person that was whispered, perhaps: on a screen that has its end, the rest of it."""
        seen = self._whispered.strip()
        if seen and self.draws and text.rstrip().endswith(seen):
            text = text.rstrip().removesuffix(seen).rstrip()
            self._end_whisper()
        if text:
            self.write(text)

    def say(self, text: str, style: str = "") -> None:
        """Talk: to stderr, a line or more."""
        if not self.talks:
            return
        self._end_whisper()
        if sys.stderr.isatty():
            self.err.print(values.shown(text), style=style, soft_wrap=True)
        else:
            sys.stderr.write(values.shown(text) + "\n")

    def write(self, text: str, style: str = "") -> None:
        """Data for a person: to stdout, nothing with `json`."""
        if self.json:
            return
        self._end_whisper()
        if self.draws:
            self.out.print(values.shown(text), style=style, soft_wrap=True)
        else:
            sys.stdout.write(values.shown(text) + "\n")
            sys.stdout.flush()

    def marked(self, text: str, words: Collection[str], style: str = "") -> None:
        """A line of data in which these words stand out, where there is somebody to see it."""
        line = values.shown(" ".join(text.split()))  # what a device wrote begins no line of its own
        if not self.draws:
            self.write(line, style)
            return
        from rich.text import Text

        drawn = Text(line, style=style)
        for found in _WORD.finditer(line):
            if found[0] in words:
                drawn.stylize(MARK, *found.span())
        self.out.print(drawn, soft_wrap=True)

    def answer(self, data: Mapping[str, Any]) -> bool:
        """With `json`: print the one object, and say that nothing else is wanted."""
        if self.json:
            # ASCII only: whatever a device wrote is an escape in here
            sys.stdout.write(json.dumps(data) + "\n")
            sys.stdout.flush()
        return self.json

    def items(
        self,
        items: Sequence[Mapping[str, Any]],
        columns: Mapping[str, str],
        *,
        none: str,
        headed: bool = True,
        chart: tables.Chart | None = None,
    ) -> None:
        """A list of things as a table; tab-separated where nobody looks. `columns`: heading by key."""
        if self.answer({"items": list(items)}):
            return
        if not items:
            self.say(none)
            return
        cell = values.looked_at if self.draws else values.cell
        headings, rows = list(columns.values()), [[cell(item.get(key)) for key in columns] for item in items]
        if chart is None or not self.draws or not chart.draw(self.out, headings, rows):
            self.table(headings, rows, headed=headed)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], *, headed: bool = True) -> None:
        """Rows under headings; `headed` false: where nobody looks, they go on from earlier ones."""
        heads, *cells = [[sanitize.exact(cell, values.MAX_CELL) for cell in row] for row in (headings, *rows)]
        if self.draws:
            tables.draw(self.out, heads, cells)
            return
        for row in (heads, *cells) if headed else cells:
            self.write("\t".join(row))

    def facts(self, data: Mapping[str, Any]) -> None:
        """One thing, a line for each of its facts."""
        told = {name: value for name, value in data.items() if value not in (None, "", [], {})}
        width = max(map(len, told), default=0)
        for name, value in told.items():
            self.fact(name, value, width=width)

    def fact(self, name: str, value: Any, *, width: int = 0, indent: str = "") -> None:
        """One line: what it is, and its value."""
        label = sanitize.exact(name.replace("_", " "), values.MAX_CELL)
        self.write(f"{indent}{label:{width}}  {values.fact(value)}")

    def confirm(self, question: str) -> bool:
        """Ask y/N until it is one of them; nothing is no. Without somebody to ask: no."""
        while (said := self._read(f"{question} [y/N] ").strip().lower()) not in YES | NO:
            self.say("Please answer y or n.")
        return said in YES

    def secret(self, prompt: str) -> str:
        """One line that is not shown while it is typed; without a terminal, what stdin brings."""
        if self.asks:
            return getpass.getpass(prompt, stream=sys.stderr).strip()
        return sys.stdin.readline(MAX_SECRET).strip()

    def choose(self, options: Sequence[str]) -> str | None:
        """Let a person pick by number or say something else; None without an answer."""
        for number, option in enumerate(options, 1):
            self.say(f"  {number}. {sanitize.exact(option, values.MAX_CELL)}")
        said = self._read("> ").strip()
        if said.isdecimal() and 1 <= int(said) <= len(options):
            return options[int(said) - 1]
        return said or None

    @contextmanager
    def waiting(self, whom: str, *, silently_s: float = WAITS_SILENTLY) -> Iterator[Callable[[], None]]:
        """Tell whoever looks on what this block waits for, once that takes a while.

        What it yields keeps that from being said, where there is something better to see.
        """
        if not self.watched:
            yield lambda: None
            return
        timer = threading.Timer(silently_s, self.say, (f"waiting for {whom} …", "dim"))
        timer.daemon = True  # Ctrl-C does not wait for it
        timer.start()
        try:
            yield timer.cancel
        finally:
            timer.cancel()
            timer.join()

    def _end_whisper(self) -> None:
        if self._whispered:
            self._whispered = ""
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
