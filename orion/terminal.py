"""What a person or a program gets to see: data on stdout, talk on stderr.

Text from devices, files and models is printed to the letter, but what would steer the
terminal or cannot be seen stands there as an escape. With `json` there is exactly one object on stdout and nobody is asked.
"""

import getpass
import json
import re
import sys
import textwrap
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from controller.assistant import sanitize

if TYPE_CHECKING:  # loaded only where something is drawn
    from rich.console import Console

MAX_SHOWN = 200_000  # characters of one text
MAX_CELL = 300
MAX_SECRET = 4096  # characters of one that is read from stdin
WHOLE = 36  # characters, as an id has, that a column keeps in one piece while there is room
FOLDED = 12  # characters that a longer one can do with
GAP = 3  # characters between two columns
MARK = "bold yellow"  # of a word that was looked for
WAITS_SILENTLY = 3.0  # seconds before somebody who waits is told for whom
YES = frozenset({"y", "yes", "j", "ja"})
NO = frozenset({"n", "no", "nee", ""})

_MOMENT = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d\.\d{3}Z")
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_WORD = re.compile("[^\\W_](?:[^\\W_]|[\u0300-\u036f])*")
_UNUSUAL = re.compile(r"[^\n\t -~]")


class Chart(Protocol):
    """A drawing beside a table, where there is room for it."""

    def draw(self, console: "Console", headings: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
        """Draw both; False, and nothing is drawn: the table has to do without."""


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
        if self.talks and not self.json and sys.stderr.isatty():
            self.err.print(shown(text), end="", soft_wrap=True)
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
            self.err.print(shown(text), style=style, soft_wrap=True)
        else:
            sys.stderr.write(shown(text) + "\n")

    def write(self, text: str, style: str = "") -> None:
        """Data for a person: to stdout, nothing with `json`."""
        if self.json:
            return
        self._end_whisper()
        if self.draws:
            self.out.print(shown(text), style=style, soft_wrap=True)
        else:
            sys.stdout.write(shown(text) + "\n")
            sys.stdout.flush()

    def marked(self, text: str, words: Collection[str], style: str = "") -> None:
        """A line of data in which these words stand out, where there is somebody to see it."""
        line = shown(" ".join(text.split()))  # what a device wrote begins no line of its own
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
        chart: Chart | None = None,
    ) -> None:
        """A list of things as a table; tab-separated where nobody looks. `columns`: heading by key."""
        if self.answer({"items": list(items)}):
            return
        if not items:
            self.say(none)
            return
        cell = _looked_at if self.draws else _cell
        headings, rows = list(columns.values()), [[cell(item.get(key)) for key in columns] for item in items]
        if chart is None or not self.draws or not chart.draw(self.out, headings, rows):
            self.table(headings, rows, headed=headed)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], *, headed: bool = True) -> None:
        """Rows under headings; `headed` false: where nobody looks, they go on from earlier ones."""
        if not self.draws:
            for row in (headings, *rows) if headed else rows:
                self.write("\t".join(sanitize.exact(cell, MAX_CELL) for cell in row))
            return
        from rich import box  # a short command without tables starts faster
        from rich.cells import cell_len
        from rich.table import Table
        from rich.text import Text

        drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        heads, *cells = [[sanitize.exact(cell, MAX_CELL) for cell in row] for row in (headings, *rows)]
        columns = list(zip(heads, *cells, strict=True))
        widths = [max(map(cell_len, column)) for column in columns]
        # an id in pieces cannot be copied; what else does not fit is folded
        with_ids = [any(map(_ID.search, column)) for column in columns]
        least = [min(width, WHOLE if ids else FOLDED) for width, ids in zip(widths, with_ids, strict=True)]
        if any(with_ids) and sum(least) + GAP * len(least) > self.out.width:
            self._paragraphs(heads, cells)
            return
        roomy = sum(widths) + GAP * len(widths) <= self.out.width
        fits = sum(GAP + (width if width <= WHOLE else FOLDED) for width in widths) <= self.out.width
        for heading, width, ids in zip(heads, widths, with_ids, strict=True):
            whole = width <= WHOLE and (fits or ids)
            drawn.add_column(
                Text(heading), no_wrap=whole, width=WHOLE if ids and not (whole or roomy) else None
            )
        for row in cells:
            drawn.add_row(*(Text(cell, overflow="fold") for cell in row))
        self.out.print(drawn)

    def _paragraphs(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows that are too wide for a table: some lines each, its id on one of its own."""
        for row in rows:
            named = [each for each in zip(headings, row, strict=True) if each[1] not in ("", "-")]
            told = ", ".join(f"{heading} {cell}" for heading, cell in named if not _ID.fullmatch(cell))
            width = max(WHOLE, self.out.width)
            for line in textwrap.wrap(told, width, subsequent_indent="  ", break_on_hyphens=False):
                self.out.print(line, soft_wrap=True)
            for heading, cell in named:
                if _ID.fullmatch(cell):
                    self.out.print(f"  {heading} {cell}", soft_wrap=True)

    def facts(self, data: Mapping[str, Any]) -> None:
        """One thing, a line for each of its facts."""
        told = {name: value for name, value in data.items() if value not in (None, "", [], {})}
        width = max(map(len, told), default=0)
        for name, value in told.items():
            self.fact(name, value, width=width)

    def fact(self, name: str, value: Any, *, width: int = 0, indent: str = "") -> None:
        """One line: what it is, and its value."""
        label = sanitize.exact(name.replace("_", " "), MAX_CELL)
        self.write(f"{indent}{label:{width}}  {_fact(value)}")

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
            self.say(f"  {number}. {sanitize.exact(option, MAX_CELL)}")
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


def shown(text: str) -> str:
    """A text of one or more lines as it may be printed: to the letter, what cannot be seen as an escape."""
    if len(text) > MAX_SHOWN:
        text = text[: MAX_SHOWN - len(sanitize.CUT)] + sanitize.CUT
    return _UNUSUAL.sub(_visible, text.replace("\r\n", "\n"))


def _visible(found: re.Match[str]) -> str:
    character = found[0]
    is_seen = sanitize.clean(character, MAX_CELL).strip("\n")
    return character if is_seen else character.encode("unicode_escape").decode("ascii")


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console  # a short command without colours starts faster

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def _fact(value: Any) -> str:
    # blanks around a name are told by quotes; what has lines, as the content of a file, keeps them
    text = _cell(value)
    return text if isinstance(value, str) and "\n" in text else sanitize.exact(text, MAX_SHOWN)


def moment(instant: str, form: str = "%H:%M:%S") -> str:
    """A moment as the clock on the wall shows it here; with the date when it is not today."""
    at = datetime.fromisoformat(instant).astimezone()
    is_today = at.date() == datetime.now(UTC).astimezone().date()
    return at.strftime(form if is_today else f"%Y-%m-%d {form}")


def _looked_at(value: Any) -> str:
    """A cell for a person: of a moment, what matters."""
    is_moment = isinstance(value, str) and _MOMENT.fullmatch(value)
    return moment(value) if is_moment else _cell(value)


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
