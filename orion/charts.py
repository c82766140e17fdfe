"""A table on a screen with a drawing at the end of each row, where there is room and the letters for it.

A drawing shows nothing that the table, or `--json`, does not tell in figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.assistant import sanitize
from orion.terminal import GAP, MAX_CELL, WHOLE

if TYPE_CHECKING:  # loaded only where something is drawn
    from rich.console import Console, RenderableType

EDGES = 2  # characters of a table's left and right side
LEAST, MOST = 10, 92  # characters of a drawing
WIDEST_BAR = 30  # characters
ROOMY = 50  # characters of a screen on which sentences have a bar
BLOCKS = "▁▂▃▄▅▆▇█"
NOTHING = "·"
COLOUR = "cyan"


@dataclass(frozen=True, slots=True)
class Bars:
    """A row's value beside the largest of all rows."""

    values: Sequence[int]
    heading: str = ""

    def draw(self, console: "Console", headings: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
        """Draw the table with it. False, and nothing is drawn: there is no room for it, or no block letters."""
        return _draw(console, headings, rows, self)

    def width(self, room: int) -> int:
        """How many characters are wanted of so many."""
        return min(room, WIDEST_BAR)

    def headed(self, _width: int) -> str:
        """What stands above."""
        return self.heading

    def drawn(self, row: int, width: int) -> "RenderableType":
        """One row's."""
        from rich.bar import Bar

        return Bar(max(self.values) or 1, 0, self.values[row], width=width, color=COLOUR)


@dataclass(frozen=True, slots=True)
class Sparks:
    """A row's values one after the other, each beside the row's own largest.

    `heading` has the days of one value, or of several where the screen is too narrow, in place of `{}`.
    """

    values: Sequence[Sequence[int]]
    heading: str
    days: int = 1

    def draw(self, console: "Console", headings: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
        """Draw the table with it. False, and nothing is drawn: there is no room for it, or no block letters."""
        return _draw(console, headings, rows, self)

    def width(self, room: int) -> int:
        """How many characters are wanted of so many."""
        return max(min(room, len(self.values[0])), len(self.headed(room)))

    def headed(self, width: int) -> str:
        """What stands above."""
        days = self.days * self._folded(width)
        return self.heading.format("day" if days == 1 else f"{days} days")

    def drawn(self, row: int, width: int) -> "RenderableType":
        """One row's."""
        from rich.text import Text

        return Text(spark(self.values[row], self._folded(width)), style=COLOUR)

    def _folded(self, width: int) -> int:
        return -(-len(self.values[0]) // width)


@dataclass(frozen=True, slots=True)
class Sentences:
    """Rows that are sentences rather than cells: each behind its count and its bar, with what else is known below."""

    values: Sequence[int]
    said: Sequence[tuple[str, str]]

    def draw(self, console: "Console", _headings: Sequence[str], _rows: Sequence[Sequence[str]]) -> bool:
        """Draw them in the table's place; without bars where there are no block letters, or no room."""
        from rich.bar import Bar
        from rich.table import Table
        from rich.text import Text

        with_bars = not console.options.ascii_only and console.width >= ROOMY
        drawn = Table.grid(padding=(0, 1))
        drawn.add_column(justify="right", no_wrap=True)
        if with_bars:
            drawn.add_column(width=LEAST)
        drawn.add_column()
        for value, (first, second) in zip(self.values, self.said, strict=True):
            told = Text(sanitize.exact(first, MAX_CELL), overflow="fold")
            told.append(f"\n{sanitize.exact(second, MAX_CELL)}", "dim")
            bar = [Bar(max(self.values), 0, value, width=LEAST, color=COLOUR)] if with_bars else []
            drawn.add_row(Text(f"{value}x"), *bar, told)
        console.print(drawn)
        return True


def spark(values: Sequence[int], together: int = 1) -> str:
    """Values as blocks of eight heights, so many taken together, counted from the last; none is a dot."""
    first = len(values) % together
    parts = [values[:first]] if first else []
    parts += [values[start : start + together] for start in range(first, len(values), together)]
    sums = [sum(part) for part in parts]
    top = max(sums, default=0)
    return "".join(BLOCKS[(each * len(BLOCKS) - 1) // top] if each else NOTHING for each in sums)


def _draw(
    console: "Console", headings: Sequence[str], rows: Sequence[Sequence[str]], chart: Bars | Sparks
) -> bool:
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    heads, *cells = [[sanitize.exact(cell, MAX_CELL) for cell in row] for row in (headings, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    room = console.width - EDGES - sum(min(width, WHOLE) + GAP for width in widths)
    width = chart.width(min(room, MOST)) if room >= LEAST else 0
    if console.options.ascii_only or not 0 < width <= room:
        return False
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, wide in zip(heads, widths, strict=True):
        drawn.add_column(Text(heading), no_wrap=wide <= WHOLE)
    drawn.add_column(Text(chart.headed(width)), no_wrap=True, width=width)
    for number, row in enumerate(cells):
        drawn.add_row(*(Text(cell, overflow="fold") for cell in row), chart.drawn(number, width))
    console.print(drawn)
    return True
