"""What is looked for, where it may be, and what is found: the place of a row, not the row."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, or_, select, true

from controller.store.fulltext.tables import SEARCH
from controller.store.tables import METADATA

FACET = "\ue000"  # begins what is no word of a text
ABOUT = 100  # rows around a moment: where a clock was set back, times and numbers differ in their order


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows that hold one of the words of each group. `reader`: who looks, if they may not see everything."""

    groups: Sequence[Sequence[str]]
    kinds: Collection[str] = ()
    device_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reader: str | None = None
    devices: Collection[str] | None = None  # whose rows they may see, beside those of none; None: of each

    def facets(self) -> list[list[str]]:
        """The same kind of groups, of what is no word of a text."""
        found = [[f"{FACET}k{kind}" for kind in sorted(self.kinds)]] if self.kinds else []
        if self.device_id is not None:
            found.append([f"{FACET}d{self.device_id.encode().hex().upper()}"])
        return found


@dataclass(frozen=True, slots=True)
class Place:
    """Which row it is: by `key`, and for an event by its device too."""

    number: int
    kind: str
    key: str
    device_id: str | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some numbers: from `low`, below `high`."""

    low: int
    high: int


class Columns(Protocol):
    """The columns of `search`, or of a part of it."""

    def __getitem__(self, name: str, /) -> ColumnElement[Any]:
        """The one of this name."""


def told(columns: Columns) -> list[ColumnElement[Any]]:
    """Of these columns, those that a place is made of."""
    return [columns[name] for name in ("number", "kind", "key", "device_id")]


def place(row: Any) -> Place:
    """The place that a row of what is `told` means."""
    return Place(row.number, row.kind, row.key, row.device_id)


def bounds(connection: Connection, wanted: Wanted) -> Stretch:
    """The numbers that rows of the wanted time have, and perhaps some more."""
    low = 0
    if wanted.since is not None:
        early = _about(SEARCH.c.at >= wanted.since).order_by(SEARCH.c.at).limit(ABOUT).subquery()
        first = connection.execute(select(func.min(early.c.number))).scalar()
        if first is None:
            return Stretch(0, 0)
        low = int(first)
    late = _about().order_by(SEARCH.c.number.desc()).limit(1).subquery()
    if wanted.until is not None:
        late = _about(SEARCH.c.at < wanted.until).order_by(SEARCH.c.at.desc()).limit(ABOUT).subquery()
    last = connection.execute(select(func.max(late.c.number))).scalar()
    return Stretch(low, 0 if last is None else int(last) + 1)


def _about(*conditions: ColumnElement[bool]) -> Select[tuple[int]]:
    return select(SEARCH.c.number).where(*conditions)


def fitting(wanted: Wanted, stretch: Stretch, columns: Columns) -> ColumnElement[bool]:
    """What must be true besides the words."""
    number = columns["number"]
    return and_(number >= stretch.low, number < stretch.high, shown(wanted, columns))


def shown(wanted: Wanted, columns: Columns) -> ColumnElement[bool]:
    """What must be true besides the words and the numbers."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        conditions.append(columns["at"] >= wanted.since)
    if wanted.until is not None:
        conditions.append(columns["at"] < wanted.until)
    if wanted.reader is not None:
        talks = METADATA.tables["sessions"].c
        own = select(literal("session:") + talks.id).where(talks.user == wanted.reader)
        owner = columns["owner"]
        conditions.append(or_(owner.is_(None), owner == f"user:{wanted.reader}", owner.in_(own)))
    if wanted.devices is not None:
        device_id = columns["device_id"]
        conditions.append(or_(device_id.is_(None), device_id.in_(wanted.devices)))
    return and_(true(), *conditions)
