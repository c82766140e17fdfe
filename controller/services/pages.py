"""Lists a page at a time, most of them the newest first: a page begins behind the last row of the one before it.

A cursor is the place of that row in the order of its list, so what comes meanwhile moves nothing:
no row is shown twice, and none that was there is left out. It names its list, and serves no other.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Integer, false, literal, select, tuple_, union_all
from sqlmodel import Session
from sqlmodel.sql.expression import SelectOfScalar

from controller.errors import InvalidCursor
from controller.store.tables import METADATA
from controller.store.types import UtcTime

MAX_CURSOR = 512  # characters
MAX_TEXT = 128  # characters of one key
MAX_NUMBER = 2**31 - 1  # of a row, as PostgreSQL has them
EXACT = 2**53  # whole numbers up to here JSON carries exactly; as microseconds 285 years

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Row = TypeVar("Row")


class Page(list[Row]):
    """Some rows of a list, and the cursor of the page behind them; None: this is the last one."""

    next: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted: by these columns, falling unless it is `rising`. Together they tell any two rows apart."""

    name: str
    columns: tuple[Column[Any], ...]
    rising: bool = False

    @classmethod
    def of(cls, name: str, table: str, *columns: str, rising: bool = False) -> "Order":
        """The order of one table's rows by the columns of these names."""
        found = METADATA.tables[table].columns
        return cls(name, tuple(found[each] for each in columns), rising)

    @property
    def words(self) -> list[ColumnElement[Any]]:
        """The order as a query says it."""
        return [each.asc() if self.rising else each.desc() for each in self.columns]

    def behind(self, cursor: str) -> ColumnElement[bool]:
        """The rows that come after the one of this cursor.

        Raises:
            InvalidCursor: it is none of this list.
        """
        place = _opened(self, cursor)
        bound = [literal(value, each.type) for value, each in zip(place, self.columns, strict=True)]
        mine, its = (tuple_(*self.columns), tuple_(*bound)) if len(bound) > 1 else (self.columns[0], bound[0])
        return mine > its if self.rising else mine < its


def page(
    session: Session,
    query: SelectOfScalar[Row],
    order: Order,
    *,
    limit: int | None,
    cursor: str | None = None,
) -> Page[Row]:
    """The rows of a query in this order, at most `limit` (None: all); with a cursor those behind it.

    Raises:
        InvalidCursor: it is none of this list.
    """
    if cursor is not None:
        query = query.where(order.behind(cursor))
    query = query.order_by(*order.words)
    if limit is not None:
        query = query.limit(limit + 1)
    return cut(session.exec(query).all(), order, limit=limit)


def cut(rows: Sequence[Row], order: Order, *, limit: int | None) -> Page[Row]:
    """A page of rows that are in this order already: of those there are one more than fit, if there are more."""
    found = Page(rows[:limit])
    if limit is not None and len(rows) > limit:
        found.next = _sealed(order, rows[limit - 1])
    return found


def newest_of_each(
    order: Order, kinds: Iterable[ColumnElement[bool]], *, limit: int, cursor: str | None = None
) -> ColumnElement[bool]:
    """What a page of rows of any of these kinds can hold: of each kind the newest, found in an index of its own.

    Asked for all together, the rows of a rare kind are looked for among all others, or all of them are sorted.

    Raises:
        InvalidCursor: it is none of this list.
    """
    behind = [] if cursor is None else [order.behind(cursor)]
    each_newest = [
        select(*order.columns).where(kind, *behind).order_by(*order.words).limit(limit + 1).subquery()
        for kind in kinds
    ]
    if not each_newest:
        return false()
    found = union_all(*(select(*each.c) for each in each_newest)).subquery()
    last = order.columns[-1]  # tells any two rows apart
    of_all = select(found.c[last.key]).order_by(*(found.c[each.key].desc() for each in order.columns))
    return last.in_(of_all.limit(limit + 1))


def _sealed(order: Order, row: object) -> str:
    place = [_told(getattr(row, each.key)) for each in order.columns]
    return base64.urlsafe_b64encode(json.dumps([order.name, *place]).encode()).decode().rstrip("=")


def _told(value: Any) -> Any:
    return (value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else value


def _opened(order: Order, cursor: str) -> list[Any]:
    try:
        return _place(order, cursor)
    except (ValueError, RecursionError) as error:
        raise InvalidCursor from error


def _place(order: Order, cursor: str) -> list[Any]:
    if len(cursor) > MAX_CURSOR:
        raise ValueError
    held = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    name, *place = held if isinstance(held, list) else [None]
    if name != order.name:
        raise ValueError
    return [_meant(value, each) for value, each in zip(place, order.columns, strict=True)]


def _meant(value: Any, column: Column[Any]) -> Any:
    is_time, is_number = isinstance(column.type, UtcTime), isinstance(column.type, Integer)
    if not (is_time or is_number):
        if not isinstance(value, str) or len(value) > MAX_TEXT or "\0" in value:
            raise ValueError
        value.encode()  # half of a character cannot be asked for
        return value
    most = MAX_NUMBER if is_number else EXACT
    if not isinstance(value, int) or isinstance(value, bool) or not -most <= value <= most:
        raise ValueError
    return _EPOCH + value * _MICROSECOND if is_time else value
