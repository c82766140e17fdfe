"""Inserting what may be there already, in the words of either database."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

# the statement's own count, which for many rows is told only to who asks for it
_COUNTED = {"preserve_rowcount": True}


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> int:
    """Add these rows, but leave those with a known key as they are; how many were new."""
    words = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = words.insert(table).on_conflict_do_nothing()
    return connection.execute(statement, rows, execution_options=_COUNTED).rowcount


def put(
    connection: Connection, table: Table, row: dict[str, Any], *, key: Sequence[str], keep: Sequence[str] = ()
) -> None:
    """Add this row, or make the one with its `key` the same; what is in `keep` stays as it was there."""
    words = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = words.insert(table).values(row)
    changed = {name: statement.excluded[name] for name in row if name not in {*key, *keep}}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))


def put_fullest(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, key: Sequence[str], by: str
) -> None:
    """Add these rows; of two with the same `key`, the one with more in the column `by` is kept."""
    words = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = words.insert(table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(key), set_=changed, where=statement.excluded[by] > table.c[by]
        ),
        rows,
    )
