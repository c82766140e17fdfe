"""GIN, which knows no order: it finds all rows that hold a word. So it is asked about blocks of numbers.

The block of a row stands among its words. GIN finds what holds a rare word and a common one by
steps of the rare one, and some blocks of numbers are rare. One statement goes down from one part of
a stretch to the next, and no further than its answer. What few rows hold is found without blocks.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, cast, literal, select, text
from sqlalchemy.dialects.postgresql import TSQUERY

from controller.store.fulltext.places import FACET, Place, Stretch, Wanted, fitting, place, told
from controller.store.fulltext.tables import SEARCH

BLOCK = 4_096  # numbers, as the trigger has it
PART = 4  # blocks that are asked about at once
FIRST, GROWTH, MOST = PART * BLOCK, 64, 256 * BLOCK  # numbers of a stretch

FEW = 20_000  # rows that hold the words, as the server estimates: those it finds at once

# OFFSET 0: what the index finds is taken as it is; the rows of a stretch are too many to be looked at
_FITTING = """
    SELECT held.number, held.kind, held.key, held.device_id FROM (
        SELECT number, kind, key, device_id, owner, at FROM search WHERE {holding} AND kind <> 'memory'
        OFFSET 0
    ) AS held
    WHERE held.number >= :low AND held.number < :high
    AND (CAST(:since AS timestamptz) IS NULL OR held.at >= CAST(:since AS timestamptz))
    AND (CAST(:until AS timestamptz) IS NULL OR held.at < CAST(:until AS timestamptz))
    AND (CAST(:reader AS text) IS NULL OR held.owner IS NULL OR held.owner = 'user:' || CAST(:reader AS text)
        OR held.owner IN (SELECT 'session:' || id FROM sessions WHERE "user" = CAST(:reader AS text)))
    AND (CAST(:devices AS text[]) IS NULL OR held.device_id IS NULL OR held.device_id = ANY(CAST(:devices AS text[])))
    ORDER BY held.number DESC LIMIT :limit
"""
_IN_PARTS = """
    SELECT found.* FROM unnest(CAST(:parts AS text[])) AS part(blocks), LATERAL ({fitting}) AS found LIMIT :limit
"""
# goes first: from there on the others leap; they would meet each other in all blocks before they come to these
_IN_BLOCKS = "words @@ CAST(part.blocks AS tsquery)"
_ESTIMATE = "EXPLAIN (FORMAT JSON) SELECT FROM search WHERE {holding} AND kind <> 'memory'"


def within(connection: Connection, wanted: Wanted, stretch: Stretch, *, limit: int) -> list[Place]:
    """The newest rows there that are wanted, newest first, at most `limit`."""
    groups = [*wanted.facets(), *wanted.groups]
    asked = {f"asked_{number}": _asked(group) for number, group in enumerate(groups)}
    told_so: dict[str, Any] = {
        **asked,
        "low": stretch.low,
        "high": stretch.high,
        "since": wanted.since,
        "until": wanted.until,
        "reader": wanted.reader,
        "devices": None if wanted.devices is None else list(wanted.devices),
        "limit": limit,
    }
    if stretch.high - stretch.low > FIRST and _are_few(connection, asked):
        statement = _FITTING.replace("{holding}", _holding(asked))
    else:
        told_so["parts"] = _parts(stretch)
        fitting = _FITTING.replace("{holding}", f"{_IN_BLOCKS} AND {_holding(asked)}")
        statement = _IN_PARTS.replace("{fitting}", fitting)
    found = [place(row) for row in connection.execute(text(statement), told_so)]
    if not wanted.kinds or "memory" in wanted.kinds:
        found += _memories(connection, groups, wanted, stretch, limit)
    return sorted(found, key=lambda each: -each.number)[:limit]


def _holding(asked: Iterable[str]) -> str:
    """A condition for each group: of several GIN leaps from the one to the next row of the other, within one it steps."""
    return " AND ".join(f"words @@ CAST(:{name} AS tsquery)" for name in asked)


def _are_few(connection: Connection, asked: dict[str, str]) -> bool:
    """Whether the server, by its statistics, believes that few rows hold these words."""
    (plan,) = connection.execute(text(_ESTIMATE.replace("{holding}", _holding(asked))), asked).scalar_one()
    return bool(plan["Plan"]["Plan Rows"] <= FEW)


def _memories(
    connection: Connection, groups: Sequence[Sequence[str]], wanted: Wanted, stretch: Stretch, limit: int
) -> list[Place]:
    holding = [SEARCH.c.words.op("@@")(cast(literal(_asked(group)), TSQUERY)) for group in groups]
    query = select(*told(SEARCH.c)).where(
        *holding, SEARCH.c.kind == "memory", fitting(wanted, stretch, SEARCH.c)
    )
    return [place(row) for row in connection.execute(query.order_by(SEARCH.c.number.desc()).limit(limit))]


def _parts(stretch: Stretch) -> list[str]:
    """The blocks of a stretch, the newest first: one, where common words are found, then some at a time."""
    first, last = stretch.low // BLOCK, (stretch.high - 1) // BLOCK
    tops = [last, *range(last - 1, first - 1, -PART)]
    ends = [*tops[1:], first - 1]
    return [
        _asked([f"{FACET}b{block}" for block in range(end + 1, top + 1)])
        for top, end in zip(tops, ends, strict=True)
    ]


def _asked(words: Sequence[str]) -> str:
    """Any of the words, as a tsquery: each is a string there, and holds no quote."""
    return " | ".join(f"'{word}'" for word in words)
