"""A page of what was found, within a time that nobody minds to wait.

The newest numbers are looked through first, in ever longer stretches. Words that are common but
never stand together may take long: then a page ends early, and its cursor says where to go on.
"""

from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from sqlmodel import Session

from controller.errors import InvalidCursor
from controller.services import names
from controller.services.actors import Actor
from controller.services.search.asking import Query
from controller.services.search.hits import Hit, told
from controller.services.sight import Sight
from controller.store import fulltext
from controller.store.fulltext import Stretch

PATIENCE = 2.0  # seconds after which a page ends, full or not
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Page:
    """Some hits, newest first, and the cursor of the page behind them; None: there is none."""

    hits: list[Hit]
    next: str | None


def find(
    session: Session,
    query: Query,
    *,
    actor: Actor,
    now: datetime,
    limit: int = 20,
    cursor: str | None = None,
    patience_s: float = PATIENCE,
) -> Page:
    """What this user may see that holds all words of the query, the newest first.

    Raises:
        InvalidArguments: there is no word in the query, or too much, or its time ends before it begins.
        UnknownDevice: nothing was found of a device that never was here.
        InvalidCursor: the cursor is none of a search.
    """
    sight = Sight(session, actor)
    wanted = query.wanted(sight)
    connection = session.connection()
    bounds = fulltext.bounds(connection, wanted)
    if cursor is not None:
        bounds = Stretch(bounds.low, min(bounds.high, _place(cursor)))
    stretch, growth, most = fulltext.first_stretch(connection, bounds)
    hits: list[Hit] = []
    began = perf_counter()
    while stretch.high > stretch.low:
        places = fulltext.within(connection, wanted, stretch, limit=limit + 1)
        hits += told(session, places, wanted.groups, now=now)
        if len(hits) > limit:
            return Page(hits[:limit], str(hits[limit - 1].number))
        length = stretch.high - stretch.low
        if len(places) > limit:  # some of them were gone; the stretch goes on behind them
            stretch = Stretch(stretch.low, places[-1].number)
        else:
            longer = min(length * growth, most)
            stretch = Stretch(max(bounds.low, stretch.low - longer), stretch.low)
        if stretch.high > stretch.low and perf_counter() - began > patience_s:
            return Page(hits, str(stretch.high))
    if query.device_id is not None and cursor is None and not hits:
        sight.check(query.device_id)
        names.check_known(session, query.device_id)
    return Page(hits, None)


def _place(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= _MOST_DIGITS):
        raise InvalidCursor
    return int(cursor)
