"""FTS5, which takes the newest rows 256 at a time; those that it does not have, and memories, are read.

Its answer comes newest first as it is looked up, so one long stretch costs no more than its answer.
"""

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, LargeBinary, and_, cast, literal_column, select, text

from controller.store.fulltext.places import FACET, Place, Stretch, Wanted, fitting, place, told
from controller.store.fulltext.tables import INDEX, MARK, SEARCH
from controller.store.fulltext.words import fold, tokens

_HELD = text("""
    SELECT value FROM json_each(:words)
    WHERE EXISTS (SELECT 1 FROM search_index WHERE search_index MATCH '"' || value || '"')
""")
FIRST, GROWTH, MOST = 65_536, 16, 2**40  # numbers of a stretch


def within(connection: Connection, wanted: Wanted, stretch: Stretch, *, limit: int) -> list[Place]:
    """The newest rows there that are wanted, newest first, at most `limit`."""
    mark = connection.execute(select(MARK.c.number)).scalar_one()
    fits = fitting(wanted, stretch, SEARCH.c)
    number, row = SEARCH.c.number, INDEX.c.rowid
    newest = Stretch(max(stretch.low, mark + 1), stretch.high)
    found = _read(connection, wanted, fitting(wanted, newest, SEARCH.c), limit)
    # + 0: or SQLite would look for the few memories among all numbers
    few = fitting(wanted, stretch, {**SEARCH.c, "number": number + 0})
    is_memory = SEARCH.c.kind == literal_column("'memory'")
    found += _read(connection, wanted, and_(few, is_memory, number + 0 <= mark), limit)
    if stretch.low <= mark and (groups := _known(connection, wanted)):
        # the ends are told to the index too, or it would begin at its own
        query = (
            select(*told(SEARCH.c))
            .join_from(INDEX, SEARCH, number == row)
            .where(literal_column("search_index").op("MATCH")(_asked(groups)))
            .where(row >= stretch.low, row < stretch.high, fits)
            .order_by(row.desc())
            .limit(limit)
        )
        found += map(place, connection.execute(query))
    return sorted(found, key=lambda each: -each.number)[:limit]


def _known(connection: Connection, wanted: Wanted) -> list[Sequence[str]]:
    """The groups without the words that no row holds: FTS5 asks each at each step. None: no row holds one of a group."""
    words = [word for group in wanted.groups for word in group]
    held = set(connection.execute(_HELD, {"words": json.dumps(words)}).scalars())
    groups: list[Sequence[str]] = [[word for word in group if word in held] for group in wanted.groups]
    return [*wanted.facets(), *groups] if all(groups) else []


def _asked(groups: Iterable[Sequence[str]]) -> str:
    """The words in FTS5's own language: each is a string there, and holds no quote."""
    return " AND ".join("(" + " OR ".join(f'"{word}"' for word in group) + ")" for group in groups)


def _read(connection: Connection, wanted: Wanted, where: ColumnElement[bool], limit: int) -> list[Place]:
    conditions = [where]
    if wanted.kinds:
        conditions.append(SEARCH.c.kind.in_(wanted.kinds))
    if wanted.device_id is not None:
        conditions.append(SEARCH.c.device_id == wanted.device_id)
    # as bytes: SQLite makes of half a character what no text may hold
    words = cast(SEARCH.c.words, LargeBinary)
    query = (
        select(*told(SEARCH.c), words.label("said")).where(*conditions).order_by((SEARCH.c.number + 0).desc())
    )
    found: list[Place] = []
    for row in connection.execute(query):
        if len(found) == limit:
            break
        if _holds(row.said.decode(errors="replace").partition(FACET)[0], wanted):
            found.append(place(row))
    return found


def _holds(text: str, wanted: Wanted) -> bool:
    plain = fold(text)
    if not all(any(word in plain for word in group) for group in wanted.groups):
        return False  # seen much sooner than its words are
    held = set(tokens(plain))
    return all(not held.isdisjoint(group) for group in wanted.groups)
