"""GIN, which knows no order: it finds all rows that hold a word. So it is asked about blocks of numbers.

The block of a row stands among its words. GIN finds what holds a rare word and a common one by
steps of the rare one, and some blocks of numbers are rare. One statement goes down from one part of
a stretch to the next, and no further than its answer. What few rows hold is found without blocks.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, cast, literal, select, text
from sqlalchemy.dialects.postgresql import TSQUERY

from controller.store.fulltext.places import FACET, Place, Stretch, Wanted, fitting, place, told
from controller.store.fulltext.tables import SEARCH

BLOCK = 4_096  # numbers, as the trigger has it
PART = 16  # blocks that are asked about at once
FIRST, GROWTH, MOST = 4 * BLOCK, 64, 16 * PART * BLOCK  # numbers of a stretch

FEW = 20_000  # rows that hold the words, as the server estimates: those it finds at once

# OFFSET 0: what the index finds is taken as it is; the rows of a stretch are too many to be looked at
_FITTING = """
    SELECT held.number, held.kind, held.key, held.device_id FROM (
        SELECT number, kind, key, device_id, owner, at FROM search WHERE words @@ ({asked}) AND kind <> 'memory'
        OFFSET 0
    ) AS held
    WHERE held.number >= :low AND held.number < :high
    AND (CAST(:since AS timestamptz) IS NULL OR held.at >= CAST(:since AS timestamptz))
    AND (CAST(:until AS timestamptz) IS NULL OR held.at < CAST(:until AS timestamptz))
    AND (CAST(:reader AS text) IS NULL OR held.owner IS NULL OR held.owner = 'user:' || CAST(:reader AS text)
        OR held.owner IN (SELECT 'session:' || id FROM sessions WHERE "user" = CAST(:reader AS text)))
    ORDER BY held.number DESC LIMIT :limit
"""
_IN_PARTS = """
    SELECT found.* FROM unnest(CAST(:parts AS text[])) AS part(blocks), LATERAL ({fitting}) AS found LIMIT :limit
"""
_ASKED, _IN_BLOCKS = "CAST(:asked AS tsquery)", "CAST(:asked AS tsquery) && CAST(part.blocks AS tsquery)"
_AT_ONCE = text(_FITTING.replace("{asked}", _ASKED))
_BY_BLOCKS = text(_IN_PARTS.replace("{fitting}", _FITTING.replace("{asked}", _IN_BLOCKS)))
_ESTIMATE = text("""
    EXPLAIN (FORMAT JSON) SELECT FROM search WHERE words @@ CAST(:asked AS tsquery) AND kind <> 'memory'
""")


def within(connection: Connection, wanted: Wanted, stretch: Stretch, *, limit: int) -> list[Place]:
    """The newest rows there that are wanted, newest first, at most `limit`."""
    groups = [*wanted.facets(), *wanted.groups]
    told_so: dict[str, Any] = {
        "asked": _asked(groups),
        "low": stretch.low,
        "high": stretch.high,
        "since": wanted.since,
        "until": wanted.until,
        "reader": wanted.reader,
        "limit": limit,
    }
    if stretch.high - stretch.low > FIRST and _are_few(connection, _asked(groups)):
        found = [place(row) for row in connection.execute(_AT_ONCE, told_so)]
    else:
        told_so["parts"] = _parts(stretch)
        found = [place(row) for row in connection.execute(_BY_BLOCKS, told_so)]
    if not wanted.kinds or "memory" in wanted.kinds:
        found += _memories(connection, groups, wanted, stretch, limit)
    return sorted(found, key=lambda each: -each.number)[:limit]


def _are_few(connection: Connection, asked: str) -> bool:
    """Whether the server, by its statistics, believes that few rows hold these words."""
    (plan,) = connection.execute(_ESTIMATE, {"asked": asked}).scalar_one()
    return bool(plan["Plan"]["Plan Rows"] <= FEW)


def _memories(
    connection: Connection, groups: Sequence[Sequence[str]], wanted: Wanted, stretch: Stretch, limit: int
) -> list[Place]:
    holding = SEARCH.c.words.op("@@")(cast(literal(_asked(groups)), TSQUERY))
    query = select(*told(SEARCH.c)).where(
        holding, SEARCH.c.kind == "memory", fitting(wanted, stretch, SEARCH.c)
    )
    return [place(row) for row in connection.execute(query.order_by(SEARCH.c.number.desc()).limit(limit))]


def _parts(stretch: Stretch) -> list[str]:
    """The blocks of a stretch, the newest first, some at a time."""
    first, last = stretch.low // BLOCK, (stretch.high - 1) // BLOCK
    return [
        _asked([[f"{FACET}b{block}" for block in range(max(first, top - PART + 1), top + 1)]])
        for top in range(last, first - 1, -PART)
    ]


def _asked(groups: Sequence[Sequence[str]]) -> str:
    """The words as a tsquery: each is a string there, and holds no quote."""
    return " & ".join("(" + " | ".join(f"'{word}'" for word in group) + ")" for group in groups)
