"""Rows on a screen: a table, and on one that is too narrow for it lines. An id is never broken."""

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # loaded only where something is drawn
    from rich.console import Console

WHOLE = 36  # characters, as an id has, that a column keeps in one piece while there is room
FOLDED = 12  # characters that a longer one can do with
GAP = 3  # characters between two columns

_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


class Chart(Protocol):
    """A drawing beside a table, where there is room for it."""

    def draw(self, console: "Console", headings: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
        """Draw both; False, and nothing is drawn: the table has to do without."""


def draw(console: "Console", headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Draw rows under headings, in whatever room there is."""
    from rich import box  # a short command without tables starts faster
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = list(zip(headings, *rows, strict=True))
    widths = [max(map(cell_len, column)) for column in columns]
    # an id in pieces cannot be copied; what else does not fit is folded
    with_ids = [any(map(_ID.search, column)) for column in columns]
    least = [min(width, WHOLE if ids else FOLDED) for width, ids in zip(widths, with_ids, strict=True)]
    if any(with_ids) and sum(least) + GAP * len(least) > console.width:
        _draw_paragraphs(console, headings, rows)
        return
    roomy = sum(widths) + GAP * len(widths) <= console.width
    fits = sum(GAP + (width if width <= WHOLE else FOLDED) for width in widths) <= console.width
    for heading, width, ids in zip(headings, widths, with_ids, strict=True):
        whole = width <= WHOLE and (fits or ids)
        drawn.add_column(Text(heading), no_wrap=whole, width=WHOLE if ids and not (whole or roomy) else None)
    for row in rows:
        drawn.add_row(*(Text(cell, overflow="fold") for cell in row))
    console.print(drawn)


def _draw_paragraphs(console: "Console", headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows that are too wide for a table: some lines each, its id on one of its own."""
    for row in rows:
        named = [each for each in zip(headings, row, strict=True) if each[1] not in ("", "-")]
        told = ", ".join(f"{heading} {cell}" for heading, cell in named if not _ID.fullmatch(cell))
        width = max(WHOLE, console.width)
        for line in textwrap.wrap(told, width, subsequent_indent="  ", break_on_hyphens=False):
            console.print(line, soft_wrap=True)
        for heading, cell in named:
            if _ID.fullmatch(cell):
                console.print(f"  {heading} {cell}", soft_wrap=True)
