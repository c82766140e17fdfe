"""A database of any earlier release, with rows in every table, comes up to date and may go back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Boolean, Column, DateTime, Engine, Float, Integer, MetaData, Table, select

from controller.store import engine, migrate
from tests.databases import Databases
from tests.factories import NOON

REVISIONS = sorted(each.revision for each in ScriptDirectory(str(migrate.SCRIPTS)).walk_revisions())
ROWS = 3
Rows = dict[str, list[dict[str, Any]]]


@contextmanager
def at(databases: Databases, revision: str) -> Iterator[Engine]:
    """A database as the release of this revision left it."""
    with databases.empty() as url:
        writer = engine.writer(url)
        command.upgrade(migrate.configuration(writer), revision)
        yield writer
        writer.dispose()


def tables(writer: Engine) -> list[Table]:
    """All tables as they are, those that others point at first."""
    found = MetaData()
    found.reflect(writer)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def a_value(column: Column[Any], row: int) -> Any:
    """Something that fits; in each row another."""
    if column.foreign_keys:
        (reference,) = column.foreign_keys
        return a_value(reference.column, row)
    match column.type:
        case Boolean():
            return bool(row % 2)
        case Integer():
            return row + 1
        case Float():
            return row + 0.5
        case DateTime():
            return NOON if column.type.timezone else NOON.replace(tzinfo=None)
        case JSON():
            return {"row": row, "é": [1, None]}
    return f"{column.table.name}.{column.name} {row} é"


def fill(writer: Engine) -> None:
    found = tables(writer)
    with writer.begin() as connection:
        for table in found:
            rows = [{column.name: a_value(column, row) for column in table.columns} for row in range(ROWS)]
            connection.execute(table.insert(), rows)


def contents(writer: Engine, only: Rows | None = None) -> Rows:
    """Every row; of the tables and columns of `only` if that is given."""
    found: Rows = {}
    there = tables(writer)
    with writer.connect() as connection:
        for table in there:
            if only is not None and table.name not in only:
                continue
            names = [name for name in table.columns.keys() if only is None or name in only[table.name][0]]  # noqa: SIM118
            rows = connection.execute(select(*(table.c[name] for name in names))).mappings().all()
            found[table.name] = sorted((dict(row) for row in rows), key=str)
    return found


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_an_earlier_release_keeps_what_is_in_it(databases: Databases, revision: str) -> None:
    with at(databases, revision) as writer:
        fill(writer)
        before = contents(writer)
        assert all(len(rows) == ROWS for rows in before.values())

        migrate.upgrade(writer)
        assert contents(writer, only=before) == before

        command.downgrade(migrate.configuration(writer), revision)
        assert contents(writer) == before
