"""Which commands count, and how many of them ended in which way."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlmodel import col

from controller.services.orders import Status
from controller.services.stats.window import Window
from controller.store.tables import ToolExecution

# what a device was given to do; the others never began, or somebody stopped them
TRIED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.REJECTED, Status.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class Ends:
    """Commands by how they ended."""

    by_status: dict[Status, int]

    @property
    def count(self) -> int:
        return sum(self.by_status.values())

    @property
    def success_rate(self) -> float | None:
        """Of what a device was given to do, the part that succeeded; None: it was given nothing."""
        tried = sum(self.of(status) for status in TRIED)
        return self.of(Status.SUCCEEDED) / tried if tried else None

    def of(self, status: Status) -> int:
        return self.by_status.get(status, 0)

    def counts(self) -> dict[str, int]:
        """As they are shown: each way to end, by its name."""
        return {status.value: self.of(status) for status in Status if status.is_final}


def ended(window: Window) -> tuple[ColumnElement[bool], ...]:
    """The commands that count in a window. Of an order to a group, the row of the whole has no device."""
    finished_at = col(ToolExecution.finished_at)
    return (
        finished_at >= window.since,
        finished_at < window.until,
        col(ToolExecution.dry_run).is_(False),
        col(ToolExecution.device_id) != "",
    )


def gathered(rows: Iterable[tuple[str, str, int]]) -> dict[str, Ends]:
    """Counts by a name and a status, by name."""
    found: dict[str, Ends] = {}
    for name, status, count in rows:
        found.setdefault(name, Ends({})).by_status[Status(status)] = count
    return found
