"""What the triggers of the migrations `0010_search.py` and `word_indexes.py` write. Nobody else does.

These tables say nothing that the others do not say, so they are kept apart from them: who copies a
database by its tables has them made anew by the triggers of the copy.
"""

from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text, column, table

from controller.store.types import UtcTime

NAME = "search"

DERIVED = MetaData()
SEARCH = Table(
    NAME,
    DERIVED,
    Column("number", BigInteger, primary_key=True),  # only grows, and none is used again
    Column("kind", String, nullable=False),
    Column("key", String, nullable=False),  # of the row that it stands for
    Column("device_id", String),
    Column("owner", String),  # `user:…` or `session:…`: who else may not see it
    Column("at", UtcTime, nullable=False),
    Column("words", Text, nullable=False),  # on PostgreSQL a tsvector
)
MARK = table("search_mark", column("number"))
BLOCK = 4_096  # numbers; blocks take turns in SQLite's indexes
INDEXES = [table(f"search_index_{part}", column("rowid")) for part in range(64)]


def is_derived(name: str | None) -> bool:
    """Whether a table is one of these, or one that FTS5 keeps for itself."""
    return name is not None and (name == NAME or name.startswith(f"{NAME}_"))
