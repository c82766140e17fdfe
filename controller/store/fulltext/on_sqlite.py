"""FTS5, which takes the newest rows 256 at a time; those that it does not have, and memories, are read.

A block of numbers is in one of its indexes, whose answer comes newest first as it is looked up: the
one with the newest block is asked first, and none for what is behind a full answer.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    TableClause,
    and_,
    bindparam,
    cast,
    literal_column,
    select,
    text,
)

from controller.store.fulltext.places import FACET, Place, Stretch, Wanted, fitting, place, shown, told
from controller.store.fulltext.tables import BLOCK, INDEXES, MARK, SEARCH
from controller.store.fulltext.words import fold, tokens

_HOLDS = """SELECT {part}, value FROM json_each(:words)
    WHERE EXISTS (SELECT 1 FROM {index} WHERE {index} MATCH '"' || value || '"')"""
_HELD = [_HOLDS.format(part=part, index=each.name) for part, each in enumerate(INDEXES)]


def _answers(index: TableClause) -> Select[Any]:
    row, number = index.c.rowid, SEARCH.c.number
    low, high = bindparam("low", type_=BigInteger), bindparam("high", type_=BigInteger)
    return (
        select(*told(SEARCH.c))
        .join_from(index, SEARCH, number == row)
        .where(literal_column(index.name).op("MATCH")(bindparam("question")))
        # the ends are told to the index too, or it would begin at its own
        .where(row >= low, row < high, number >= low, number < high)
        .order_by(row.desc())
        .limit(bindparam("limit"))
    )


_ANSWERED = [_answers(each) for each in INDEXES]  # once: building it costs as much as its answer
FIRST, GROWTH, MOST = 65_536, 64, 2**40  # numbers of a stretch


def within(connection: Connection, wanted: Wanted, stretch: Stretch, *, limit: int) -> list[Place]:
    """The newest rows there that are wanted, newest first, at most `limit`."""
    mark = connection.execute(select(MARK.c.number)).scalar_one()
    number = SEARCH.c.number
    newest = Stretch(max(stretch.low, mark + 1), stretch.high)
    found = _read(connection, wanted, fitting(wanted, newest, SEARCH.c), limit)
    # + 0: or SQLite would look for the few memories among all numbers
    few = fitting(wanted, stretch, {**SEARCH.c, "number": number + 0})
    is_memory = SEARCH.c.kind == literal_column("'memory'")
    found += _read(connection, wanted, and_(few, is_memory, number + 0 <= mark), limit)
    if stretch.low <= mark:
        found += _indexed(connection, wanted, Stretch(stretch.low, min(stretch.high, mark + 1)), limit)
    return sorted(found, key=lambda each: -each.number)[:limit]


def _indexed(connection: Connection, wanted: Wanted, stretch: Stretch, limit: int) -> list[Place]:
    found: list[Place] = []
    tops = list(_tops(stretch))
    asked: dict[int, str | None] = {}
    where = shown(wanted, SEARCH.c)
    for at, (part, top) in enumerate(tops):
        low = found[-1].number + 1 if len(found) == limit else stretch.low
        if top <= low:
            break
        if part not in asked:
            # as many again as were asked: common words are answered by the first, rare ones by none
            asked |= _asked(connection, wanted, [each for each, _ in tops[at : 2 * at + 1]])
        if (question := asked[part]) is not None:
            asking = {"question": question, "low": low, "high": top, "limit": limit}
            found += map(place, connection.execute(_ANSWERED[part].where(where), asking))
            found = sorted(found, key=lambda each: -each.number)[:limit]
    return found


def _tops(stretch: Stretch) -> Iterator[tuple[int, int]]:
    """The indexes that have numbers of a stretch, and where these end; the newest first."""
    high = stretch.high
    for _ in INDEXES:
        if high <= stretch.low:
            break
        block = (high - 1) // BLOCK
        yield block % len(INDEXES), high
        high = block * BLOCK


def _asked(connection: Connection, wanted: Wanted, parts: Collection[int]) -> dict[int, str | None]:
    """What each index is asked, without the words that it does not hold: FTS5 asks each at each step.

    None where it holds no word of a group.
    """
    words = [word for group in wanted.groups for word in group]
    query = text(" UNION ALL ".join(_HELD[part] for part in sorted(parts)))
    held = set(map(tuple, connection.execute(query, {"words": json.dumps(words)})))
    asked: dict[int, str | None] = dict.fromkeys(parts)
    for part in parts:
        groups = [[word for word in group if (part, word) in held] for group in wanted.groups]
        if all(groups):
            asked[part] = _question([*wanted.facets(), *groups])
    return asked


def _question(groups: Iterable[Sequence[str]]) -> str:
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
