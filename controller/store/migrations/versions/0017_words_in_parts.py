"""The words on SQLite in sixteen indexes: what FTS5 merges at once grows with the rows that hold a common word.

It does not stop in the middle of a word's rows, and who writes waits until it is through. Blocks of
numbers take turns, so an index has a sixteenth of the rows, and the newest rows are in one or two.
"""

from alembic import op

revision = "0017"
down_revision = "0016"

PARTS, BLOCK = 16, 65_536  # numbers of a block
_TABLE = """CREATE VIRTUAL TABLE {index} USING fts5(words, content='search', content_rowid='number',
    detail=none, columnsize=0, tokenize="unicode61 remove_diacritics 2")"""
_SMALL_PAGES = "INSERT INTO {index} ({index}, rank) VALUES ('pgsz', 1000)"
_FILL = """INSERT INTO {index} (rowid, words) SELECT number, words FROM search
    WHERE number <= (SELECT number FROM search_mark) AND kind <> 'memory'{of_part} ORDER BY number"""
_MERGE = "INSERT INTO {index} ({index}) VALUES ('optimize')"
_TAKE = """INSERT INTO {index} (rowid, words) SELECT number, words FROM search
    WHERE {is_met}number > (SELECT number FROM search_mark) AND kind <> 'memory'{of_part} ORDER BY number;"""
_TAKEN = """CREATE TRIGGER search_taken AFTER INSERT ON search
    WHEN NEW.number >= (SELECT number FROM search_mark) + 256 BEGIN
    {statements} UPDATE search_mark SET number = NEW.number; END"""
_DROP = "INSERT INTO {index} ({index}, rowid, words) SELECT 'delete', OLD.number, OLD.words{where_met};"
_DROPPED = """CREATE TRIGGER search_dropped AFTER DELETE ON search
    WHEN OLD.kind <> 'memory' AND OLD.number <= (SELECT number FROM search_mark) BEGIN {statements} END"""


def upgrade() -> None:
    """Go to this revision."""
    if op.get_bind().dialect.name != "sqlite":
        return
    _drop(["search_index"])
    takes, drops = [], []
    for part in range(PARTS):
        index, of_part = f"search_index_{part}", f" AND {_part('number')} = {part}"
        _make(index, of_part)
        # rows are not even looked at for an index that takes none of them
        is_met = f"{part} IN ({_part('NEW.number')}, {_part('((SELECT number FROM search_mark) + 1)')}) AND "
        takes.append(_TAKE.format(index=index, is_met=is_met, of_part=of_part))
        drops.append(_DROP.format(index=index, where_met=f" WHERE {_part('OLD.number')} = {part}"))
    _hang_on(takes, drops)


def downgrade() -> None:
    """Go back to the one before."""
    if op.get_bind().dialect.name != "sqlite":
        return
    _drop([f"search_index_{part}" for part in range(PARTS)])
    _make("search_index", "")
    take = _TAKE.format(index="search_index", is_met="", of_part="")
    _hang_on([take], [_DROP.format(index="search_index", where_met="")])


def _drop(indexes: list[str]) -> None:
    op.execute("DROP TRIGGER search_taken")
    op.execute("DROP TRIGGER search_dropped")
    for index in indexes:
        op.execute(f"DROP TABLE {index}")


def _make(index: str, of_part: str) -> None:
    for statement in (_TABLE, _SMALL_PAGES, _FILL, _MERGE):
        op.execute(statement.format(index=index, of_part=of_part))


def _hang_on(takes: list[str], drops: list[str]) -> None:
    op.execute(_TAKEN.format(statements=" ".join(takes)))
    op.execute(_DROPPED.format(statements=" ".join(drops)))


def _part(number: str) -> str:
    return f"({number} / {BLOCK}) % {PARTS}"
