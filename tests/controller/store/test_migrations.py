"""The schema that migrations build is the one that the tables describe."""

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select, text

from controller.services import devices, health
from controller.store import engine, fulltext, migrate
from controller.store.tables import METADATA, Device
from tests.databases import Databases
from tests.factories import ADMIN, NOON, a_place


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A database that holds nothing yet."""
    with databases.empty() as url:
        yield url


def test_the_migrations_build_exactly_the_tables(database_url: str) -> None:
    writer = engine.writer(database_url)
    migrate.upgrade(writer)

    with writer.connect() as connection:
        ours = {"include_name": lambda name, kind, _within: kind != "table" or not fulltext.is_derived(name)}
        found = compare_metadata(MigrationContext.configure(connection, opts=ours), METADATA)

    writer.dispose()
    assert found == []


def test_a_second_start_changes_nothing(database_url: str) -> None:
    writer = engine.writer(database_url)
    migrate.upgrade(writer)
    with Session(writer) as session, session.begin():
        devices.add(session, a_place(), actor=ADMIN, now=NOON)

    migrate.upgrade(writer)

    with Session(writer) as session:
        assert [row.device_id for row in session.exec(select(Device))] == ["laptop"]
    writer.dispose()


def test_the_first_tables_can_be_taken_back(database_url: str) -> None:
    writer = engine.writer(database_url)
    migrate.upgrade(writer)

    command.downgrade(migrate.configuration(writer), "base")

    assert inspect(writer).get_table_names() == ["alembic_version"]
    writer.dispose()


def test_a_migration_that_breaks_leaves_no_half_schema(database_url: str) -> None:
    writer = engine.writer(database_url)
    with writer.connect() as connection, connection.begin():
        connection.execute(text("CREATE TABLE messages (something_else INTEGER)"))

    with pytest.raises(DBAPIError, match="messages"):
        migrate.upgrade(writer)

    assert inspect(writer).get_table_names() == ["messages"]
    writer.dispose()


def test_the_database_tells_its_own_health(database_url: str) -> None:
    writer = engine.writer(database_url)
    migrate.upgrade(writer)
    with Session(writer) as session:
        found = health.database(session)
    writer.dispose()

    assert found.pop("revision") == migrate.newest()
    if found["kind"] == "sqlite":
        assert found == {"kind": "sqlite", "integrity": "ok", "journal_mode": "wal"}
    else:
        version = str(found.pop("version"))
        assert int(version.partition(".")[0]) >= 15
        assert found == {"kind": "postgresql", "replica": False}
