"""`orion devices history`: what a device measured, as a line for each measure, or one of them step by step."""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from orion import receipts, words
from orion.client import Json, segment
from orion.exits import Exit
from orion.nouns.device import Id
from orion.terminal import Terminal, moment
from orion.verbs import Invocation, verb

LONGEST = 2 * words.YEAR
SHORTEST = 60.0  # seconds
STEPS = 24  # that are drawn
MAX_POINTS = 1_000  # that a program may have
WIDTH = 32  # characters of a bar
LEVELS = "▁▂▃▄▅▆▇█"
EMPTY = "·"
FULL = {"%": (0.0, 100.0)}  # units with an end of their own


def register(devices: typer.Typer) -> None:
    """Add the verb to the noun `devices`."""
    verb(
        devices,
        "history",
        example="orion devices history laptop\norion devices history nas --measure disk --since 30d",
    )(history)


def history(
    invocation: Invocation,
    device_id: Id,
    measure: Annotated[
        str | None,
        typer.Option(
            "--measure", metavar="NAME", help="This one, step by step: cpu, memory, disk, temperature:NAME …"
        ),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="So long back: 90m, 6h, 30d; 730d at most.")
    ] = "6h",
    points: Annotated[
        int, typer.Option("--points", min=1, max=MAX_POINTS, help="In so many steps at most.")
    ] = STEPS,
) -> Exit:
    """What a device measured: mean, lowest and highest value of each step.

    It comes with the heartbeats. It is kept by the minute for a day, by five minutes for 30 days, by the hour for two years.
    """
    try:
        back_s = words.duration(since, longest=LONGEST, shortest=SHORTEST)
    except typer.BadParameter as wrong:
        raise typer.BadParameter(wrong.message, param_hint="--since") from None
    path = f"/devices/{segment(device_id)}/history"
    found = invocation.client.get(path, back_s=back_s, measure=measure, points=points)
    terminal = invocation.terminal
    if terminal.answer(found):
        return Exit.DONE
    if not found["items"]:
        terminal.say(f"{device_id} has measured nothing in the last {receipts.span(back_s)}")
    elif measure is None:
        _overview(terminal, found)
    else:
        for series in found["items"]:
            _steps(terminal, found, series)
    return Exit.DONE


def _overview(terminal: Terminal, found: Json) -> None:
    """A line for each measure."""
    headings = ["measure", "unit", "last", "mean", "low", "high"]
    rows = []
    for series in found["items"]:
        whole = series["whole"]
        last = series["points"][-1]["mean"]
        row = [series["measure"], series["unit"] or "-", *map(_number, (last, *_values(whole)))]
        rows.append([*row, _line(found, series)] if terminal.draws else row)
    if terminal.draws:
        headings.append(f"{_clock(found['since'])} to {_clock(found['until'])}")
    terminal.table(headings, rows)


def _steps(terminal: Terminal, found: Json, series: Json) -> None:
    """A row for each step that has a value; for a person with a bar from its lowest to its highest."""
    unit = series["unit"]
    if terminal.draws:
        step = receipts.span(found["step_s"])
        terminal.write(
            f"{series['measure']} of {found['device_id']}{f' in {unit}' if unit else ''}, by {step}"
        )
    low, high = _scale(series)
    headings = ["at", "mean", "low", "high"]
    rows = []
    for point in series["points"]:
        at = _clock(point["at"]) if terminal.draws else point["at"]
        row = [at, *map(_number, _values(point))]
        rows.append([*row, _bar(point, low, high)] if terminal.draws else [series["measure"], *row])
    if terminal.draws:
        left, right = _number(low), _number(high)
        headings.append(f"{left}{right:>{WIDTH - len(left)}}")
    terminal.table(headings if terminal.draws else ["measure", *headings], rows)


def _values(point: Json) -> tuple[float, float, float]:
    return point["mean"], point["low"], point["high"]


def _scale(series: Json) -> tuple[float, float]:
    """The values at both ends of a bar."""
    low, high = FULL.get(series["unit"], (series["whole"]["low"], series["whole"]["high"]))
    return (low, high) if high > low else (low, low + 1.0)


def _bar(point: Json, low: float, high: float) -> str:
    """From the lowest to the highest value of a step, and where its mean is."""
    mean, least, most = (round((value - low) / (high - low) * (WIDTH - 1)) for value in _values(point))
    drawn = ["─" if least <= place <= most else EMPTY for place in range(WIDTH)]
    drawn[min(max(mean, 0), WIDTH - 1)] = "●"
    return "".join(drawn)


def _line(found: Json, series: Json) -> str:
    """The means as a line of small bars; a gap where nothing was measured."""
    low, high = _scale(series)
    step = timedelta(seconds=found["step_s"])
    by_step: dict[int, float] = {}
    ends = datetime.fromisoformat(found["until"])
    for point in series["points"]:
        by_step[(ends - datetime.fromisoformat(point["at"])) // step] = point["mean"]
    steps = (ends - datetime.fromisoformat(found["since"])) // step
    return "".join(_level(by_step.get(back), low, high) for back in range(steps, -1, -1))


def _level(mean: float | None, low: float, high: float) -> str:
    if mean is None:
        return EMPTY
    return LEVELS[min(len(LEVELS) - 1, max(0, int((mean - low) / (high - low) * len(LEVELS))))]


def _clock(instant: str) -> str:
    return moment(instant, "%H:%M")


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 1_000_000 else f"{value:.3g}"
