"""A database of any earlier release, with rows in every table, comes up to date and may go back."""

import asyncio
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Boolean, Column, DateTime, Engine, Float, Integer, MetaData, Table, select

from controller.store import engine, fulltext, migrate
from tests.databases import Databases
from tests.disks import small_disk
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
    """All tables as they are, those that others point at first; not what triggers make of them."""
    found = MetaData()
    found.reflect(writer, only=lambda name, _found: not fulltext.is_derived(name))
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
            wanted = [
                column for column in table.columns if only is None or column.name in only[table.name][0]
            ]
            rows = connection.execute(select(*wanted)).mappings().all()
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


def test_a_file_of_an_earlier_release_is_copied_before_it_changes(sqlite_databases: Databases) -> None:
    with at(sqlite_databases, "0008") as writer:
        fill(writer)
        before = contents(writer)

        migrate.prepare(writer)

        assert migrate.current(writer) == migrate.newest()
        path = Path(str(writer.url.database))
        copy = engine.reader(engine.sqlite_url(path.with_name("orion-0008.db")))
        assert contents(copy) == before
        copy.dispose()
        assert stat.S_IMODE(path.with_name("orion-0008.db").stat().st_mode) == 0o600
        migrate.prepare(writer)  # a second start has nothing to copy
        assert sorted(each.name for each in path.parent.glob("orion-*")) == ["orion-0008.db"]


async def test_a_file_that_cannot_be_copied_is_left_as_it_is(tmp_path: Path) -> None:
    async with small_disk(tmp_path / "disk") as disk:
        url = engine.sqlite_url(disk.path / "orion.db")
        writer = await asyncio.to_thread(engine.writer, url)
        await asyncio.to_thread(lambda: command.upgrade(migrate.configuration(writer), "0008"))
        await asyncio.to_thread(fill, writer)
        before = await asyncio.to_thread(contents, writer)
        await disk.fill()

        with pytest.raises(migrate.NotCopied, match="Make room"):
            await asyncio.to_thread(migrate.prepare, writer)

        assert await asyncio.to_thread(contents, writer) == before
        left = await asyncio.to_thread(lambda: sorted(each.name for each in disk.path.glob("orion-*")))
        assert left == []
        await disk.free()
        await asyncio.to_thread(migrate.prepare, writer)
        assert await asyncio.to_thread(partial(contents, writer, only=before)) == before
        writer.dispose()


def test_a_servers_database_is_migrated_only_when_somebody_says_so(postgresql_databases: Databases) -> None:
    with at(postgresql_databases, "0008") as writer:
        fill(writer)
        before = contents(writer)

        with pytest.raises(migrate.SchemaOlder, match=r"has the schema 0008.*orion db migrate"):
            migrate.prepare(writer)
        assert contents(writer) == before

        migrate.upgrade(writer)
        migrate.prepare(writer)
        assert contents(writer, only=before) == before


@pytest.mark.parametrize("bring", [migrate.prepare, migrate.upgrade])
def test_a_database_of_a_newer_release_is_left_alone(
    databases: Databases, bring: Callable[[Engine], None]
) -> None:
    with at(databases, "head") as writer:
        with writer.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        before = contents(writer)

        with pytest.raises(migrate.SchemaNewer, match="its schema is 9999"):
            bring(writer)
        assert contents(writer) == before
