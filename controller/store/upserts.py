"""Inserting what may be there already, in the words of either database."""

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert


def insert_new(dialect: Dialect, table: Table) -> Insert:
    """An INSERT that leaves rows with a known key as they are; its `rowcount` tells how many were new."""
    if dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
