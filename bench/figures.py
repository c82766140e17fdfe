"""One line of the table: what was measured, beside what, and the goal."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Spread:
    """Samples as median, least and most, in one unit."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Spread":
        """The spread of at least one sample."""
        return cls(statistics.median(samples), min(samples), max(samples))

    def said(self, unit: str) -> str:
        """`1.23 (1.01-2.50) ms`."""
        return f"{self.median:.3g} ({self.least:.3g}-{self.most:.3g}) {unit}"


def percentile(samples: Sequence[float], percent: float) -> float:
    """The least sample that so many percent of them do not exceed."""
    return sorted(samples)[max(0, math.ceil(len(samples) * percent / 100) - 1)]


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value. `ratio` is to the baseline of the same run; `goal` is in words."""

    what: str
    value: str
    baseline: str = ""
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None


def microseconds(work: Callable[[], object], *, rounds: int, repeats: int = 7) -> Spread:
    """How long one call takes, as the spread over `repeats` runs of `rounds` calls."""
    samples = []
    for _ in range(repeats):
        begun = time.perf_counter()
        for _ in range(rounds):
            work()
        samples.append((time.perf_counter() - begun) / rounds * 1e6)
    return Spread.of(samples)


def table(figures: Sequence[Figure]) -> Table:
    """Them all, as they are printed."""
    shown = Table("what", "value: median (least-most)", "baseline, same run", "ratio", "goal")
    for figure in figures:
        mark = "" if figure.met is None else (" ✓" if figure.met else " ✗")
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        shown.add_row(figure.what, figure.value, figure.baseline, ratio, figure.goal + mark)
    return shown
