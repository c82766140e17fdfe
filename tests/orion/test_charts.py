"""A drawing beside a table: where there is room and the letters for it, and never instead of a figure."""

import io
import re
import sys

import pytest
from rich.console import Console

from orion.charts import Bars, Sentences, Sparks, spark
from orion.terminal import Terminal
from tests.orion.screen import a_screen, seen_on

ROWS = [{"tool": "create_directory", "count": 16}, {"tool": "light", "count": 2}, {"tool": "no", "count": 0}]
COLUMNS = {"tool": "tool", "count": "commands"}
BARS = Bars([16, 2, 0])
BOLD = re.compile(r"\x1b\[\d*m")
SPARKS = Sparks([[0, 1, 8], [0, 0, 0], [5, 5, 5]], "per {}")


def on_screen(
    monkeypatch: pytest.MonkeyPatch, chart: Bars | Sparks | Sentences, columns: int = 80, **environment: str
) -> str:
    """What a person sees of the table."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", str(columns))
    with a_screen() as screen:
        monkeypatch.setenv("TERM", "xterm")  # a dumb one is always 80 wide
        Terminal().items(ROWS, COLUMNS, none="", chart=chart)
        sys.stdout.write("end")
        sys.stdout.flush()
        return seen_on(screen, "end")


def test_a_bar_is_as_long_as_its_part_of_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, _, first, second, third, *_ = on_screen(monkeypatch, BARS, NO_COLOR="1").splitlines()

    assert first.count("█") == 30
    assert (second.count("█"), "▊" in second) == (3, True)
    assert third.split() == ["no", "0"]


def test_without_colours_nothing_is_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[36" in on_screen(monkeypatch, BARS)
    plain = on_screen(monkeypatch, BARS, NO_COLOR="1")
    assert "\x1b[3" not in plain
    assert "█" in plain


@pytest.mark.parametrize("columns", [30, 36, 41, 42, 43, 60])
@pytest.mark.parametrize("chart", [BARS, SPARKS])
def test_a_narrow_screen_has_every_figure_and_no_broken_line(
    monkeypatch: pytest.MonkeyPatch, chart: Bars | Sparks, columns: int
) -> None:
    seen = BOLD.sub("", on_screen(monkeypatch, chart, columns, NO_COLOR="1"))

    letters = "".join(seen.split())
    assert "create_directory" in letters
    assert "16" in letters
    assert "…" not in letters
    assert all(len(line) <= columns for line in seen.splitlines())
    assert ("█" in seen) == (columns >= 42)


def test_where_nobody_looks_there_is_no_drawing(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().items(ROWS, COLUMNS, none="", chart=BARS)

    assert capsys.readouterr().out == "tool\tcommands\ncreate_directory\t16\nlight\t2\nno\t0\n"


def test_a_terminal_without_block_letters_gets_the_table_alone() -> None:
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii"), force_terminal=True, width=80)

    assert not BARS.draw(console, ["tool", "commands"], [["a", "16"], ["b", "2"], ["c", "0"]])

    console.file.flush()
    assert raw.getvalue() == b""


@pytest.mark.parametrize(
    ("values", "together", "drawn"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7, 8], 1, "·▁▂▃▄▅▆▇█"),
        ([0, 0], 1, "··"),
        ([1], 1, "█"),
        ([1, 1000], 1, "▁█"),
        ([999, 1000], 1, "█" * 2),
        ([9, 0, 0, 1, 1], 2, "█·▂"),
        ([1, 1, 1, 1], 4, "█"),
        ([], 1, ""),
    ],
)
def test_values_are_blocks_of_eight_heights(values: list[int], together: int, drawn: str) -> None:
    assert spark(values, together) == drawn


def test_days_are_taken_together_where_there_is_no_room_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    quarter = Sparks([[1] * 92, [0] * 92, [0] * 91 + [3]], "per {}")

    narrow = on_screen(monkeypatch, quarter, 60, NO_COLOR="1")
    wide = on_screen(monkeypatch, quarter, 140, NO_COLOR="1")

    assert "per 4 days" in narrow
    assert narrow.splitlines()[3].count("█") == 23
    assert "per day" in wide
    assert wide.splitlines()[3].count("█") == 92


@pytest.mark.parametrize("columns", [30, 49, 50, 80])
def test_a_sentence_stands_whole_behind_its_count(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    said = [("light on lamp: \x1b[2JIt broke, once more.", "failed; 10:00 to 12:00"), ("b", "c"), ("d", "e")]

    seen = BOLD.sub("", on_screen(monkeypatch, Sentences([16, 2, 1], said), columns, NO_COLOR="1"))

    letters = "".join(seen.split())
    assert all(f"{count}x" in letters for count in (16, 2, 1))
    assert r"\x1b[2JIt" in letters
    assert "once" in letters
    assert all(len(line) <= columns for line in seen.splitlines())
    assert ("█" in seen) == (columns >= 50)
