"""Making SQLite's indexes of words anew, for the revisions that change how many there are.

Blocks of numbers take turns in them, so the newest rows are in one or two.
"""

from collections.abc import Collection

from alembic import op

_TABLE = """CREATE VIRTUAL TABLE {index} USING fts5(words, content='search', content_rowid='number',
    detail=none, columnsize=0, tokenize="unicode61 remove_diacritics 2")"""
_SMALL_PAGES = "INSERT INTO {index} ({index}, rank) VALUES ('pgsz', 1000)"
_FILL_ALL = """INSERT INTO {index} (rowid, words) SELECT number, words FROM search
    WHERE number <= (SELECT number FROM search_mark) AND kind <> 'memory' ORDER BY number"""
# by its blocks, or all rows would be gone through for each index
_FILL_PART = """INSERT INTO {index} (rowid, words)
    WITH RECURSIVE blocks (low) AS (SELECT {part} * {block} UNION ALL SELECT low + {parts} * {block} FROM blocks
        WHERE low + {parts} * {block} <= (SELECT number FROM search_mark))
    SELECT number, words FROM blocks CROSS JOIN search ON number >= low AND number < low + {block}
    WHERE number <= (SELECT number FROM search_mark) AND kind <> 'memory' ORDER BY low, number"""
_MERGE = "INSERT INTO {index} ({index}) VALUES ('optimize')"
_TAKE = """INSERT INTO {index} (rowid, words) SELECT number, words FROM search
    WHERE {is_met}number > (SELECT number FROM search_mark) AND kind <> 'memory'{of_part} ORDER BY number;"""
_TAKEN = """CREATE TRIGGER search_taken AFTER INSERT ON search
    WHEN NEW.number >= (SELECT number FROM search_mark) + 256 BEGIN
    {statements} UPDATE search_mark SET number = NEW.number; END"""
_DROP = "INSERT INTO {index} ({index}, rowid, words) SELECT 'delete', OLD.number, OLD.words{where_met};"
_DROPPED = """CREATE TRIGGER search_dropped AFTER DELETE ON search
    WHEN OLD.kind <> 'memory' AND OLD.number <= (SELECT number FROM search_mark) BEGIN {statements} END"""

ONE = ["search_index"]


def many(parts: int) -> list[str]:
    """The names of so many indexes."""
    return [f"search_index_{part}" for part in range(parts)]


def unite(former: Collection[str]) -> None:
    """One index in the place of these."""
    _drop(former)
    (index,) = ONE
    _make(index, _FILL_ALL)
    take = _TAKE.format(index=index, is_met="", of_part="")
    _hang_on([take], [_DROP.format(index=index, where_met="")])


def divide(former: Collection[str], parts: int, block: int) -> None:
    """So many in the place of these, in turns of `block` numbers."""
    _drop(former)
    takes, drops = [], []
    for part, index in enumerate(many(parts)):
        turn = f"(({{}}) / {block}) % {parts}"
        of_part = f" AND {turn.format('number')} = {part}"
        _make(index, _FILL_PART, part=part, parts=parts, block=block)
        # rows are not even looked at for an index that takes none of them
        ends = (turn.format(end) for end in ("NEW.number", "(SELECT number FROM search_mark) + 1"))
        takes.append(_TAKE.format(index=index, is_met=f"{part} IN ({', '.join(ends)}) AND ", of_part=of_part))
        drops.append(_DROP.format(index=index, where_met=f" WHERE {turn.format('OLD.number')} = {part}"))
    _hang_on(takes, drops)


def _drop(indexes: Collection[str]) -> None:
    op.execute("DROP TRIGGER search_taken")
    op.execute("DROP TRIGGER search_dropped")
    for index in indexes:
        op.execute(f"DROP TABLE {index}")


def _make(index: str, fill: str, **numbers: int) -> None:
    for statement in (_TABLE, _SMALL_PAGES, fill, _MERGE):
        op.execute(statement.format(index=index, **numbers))


def _hang_on(takes: Collection[str], drops: Collection[str]) -> None:
    op.execute(_TAKEN.format(statements=" ".join(takes)))
    op.execute(_DROPPED.format(statements=" ".join(drops)))
