"""How far a command is, drawn on stderr for whoever looks on; nothing where nobody does.

A bar begins with the first word of how far it is: a quick command draws none.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from controller.assistant import sanitize
from orion import following, receipts
from orion.client import Client, Json
from orion.terminal import MAX_CELL, Terminal

if TYPE_CHECKING:  # loaded only where something is drawn
    from rich.progress import Progress, ProgressColumn

STEADY_AFTER = 1.0  # seconds before a rate says something
FAILURES = ("failed", "rejected", "denied", "expired", "interrupted")


@contextmanager
def shown(terminal: Terminal, command: Json) -> Iterator[Callable[[Json], None]]:
    """Draw a command's progress inside the block; what it yields is told each news."""
    with terminal.waiting(receipts.whom(command)) as said_better:
        if not terminal.watched:
            yield lambda _news: None
            return
        bar = _Bar(terminal, sanitize.exact(receipts.what(command), MAX_CELL))

        def tell(news: Json) -> None:
            if news["rollout"] is not None or news["progress"] is not None:
                said_better()
                bar.move(news)

        tell(command)
        try:
            yield tell
        finally:
            bar.stop()


def followed(client: Client, terminal: Terminal, command: Json) -> Json:
    """A command once nothing moves any more, drawn meanwhile."""
    if not following.moves(command):
        return command
    with shown(terminal, command) as tell:
        return following.follow(client, command, tell, quiet_s=following.patience(command))


@contextmanager
def of_rows(terminal: Terminal, what: str, total: int) -> Iterator[Callable[[str, int], None]]:
    """Draw how many rows are done inside the block; what it yields is told which ones, and how many more."""
    if not terminal.watched:
        yield lambda _which, _rows: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), *_counts())
    with Progress(*columns, TimeRemainingColumn(), console=terminal.err, transient=True) as drawn:
        task = drawn.add_task(what, total=total)
        yield lambda which, rows: drawn.update(task, advance=rows, description=f"{what} {which}")


class _Bar:
    """One bar; drawn from its first move on."""

    def __init__(self, terminal: Terminal, what: str) -> None:
        self._terminal = terminal
        self._what = what
        self._drawn: Progress | None = None

    def move(self, news: Json) -> None:
        rollout = news["rollout"]
        if self._drawn is None:
            self._drawn = _bar(self._terminal, is_group=rollout is not None)
            self._drawn.add_task(self._what, total=rollout["total"] if rollout else 1.0)
            self._drawn.start()
        failed = sum(rollout[each] for each in FAILURES) if rollout else 0
        self._drawn.update(
            self._drawn.task_ids[0],
            completed=following.ended(rollout) if rollout else news["progress"],
            failed=failed,
        )

    def stop(self) -> None:
        if self._drawn is not None:
            self._drawn.stop()


def _bar(terminal: Terminal, *, is_group: bool) -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed

    columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False), BarColumn()]
    columns += [MofNCompleteColumn(), *_counts()] if is_group else [TaskProgressColumn()]
    return Progress(*columns, Elapsed(), console=terminal.err, transient=True)


def _counts() -> "list[ProgressColumn]":
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Failed(ProgressColumn):
        def render(self, task: Task) -> Text:
            failed = task.fields.get("failed", 0)
            return Text(f"{failed} failed", style="red") if failed else Text("")

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            # over the whole time: the library's own figure jumps with every batch
            ended, seconds = task.completed, task.elapsed or 0.0
            return Text(f"{ended / seconds:.1f}/s" if ended and seconds >= STEADY_AFTER else "")

    return [Failed(), Rate()]


@contextmanager
def measured(terminal: Terminal) -> Iterator[Callable[[str, int, int], None]]:
    """Draw how much of something long is done; what it yields is told what, how much, and of how much."""
    if not terminal.watched:
        yield lambda _what, _done, _total: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    drawn = Progress(*columns, TimeElapsedColumn(), console=terminal.err, transient=True)
    begins = time.monotonic() + STEADY_AFTER  # a quick command draws none

    def tell(what: str, done: int, total: int) -> None:
        if time.monotonic() < begins:
            return
        if not drawn.task_ids:
            drawn.add_task(what)
            drawn.start()
        drawn.update(drawn.task_ids[0], description=what, completed=done, total=total or None)

    try:
        yield tell
    finally:
        drawn.stop()
