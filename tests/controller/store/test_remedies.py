"""A database that cannot be used is told with its reason and what to do about that reason."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from controller.store import engine, remedies
from tests.databases import Databases
from tests.ports import free_port


def trouble(url: str, statement: str = "SELECT 1") -> str:
    """What is told of a database that does not do this."""
    reader = engine.reader(url)
    try:
        with pytest.raises(SQLAlchemyError) as raised, reader.connect() as connection:
            connection.execute(text(statement))
    finally:
        reader.dispose()
    return remedies.told(raised.value)


@pytest.mark.parametrize("missing", ["SELECT 1 FROM hats", "SELECT hats FROM alembic_version"])
def test_what_an_earlier_release_has_not_is_for_the_migration(databases: Databases, missing: str) -> None:
    with databases.migrated() as url:
        assert trouble(url, missing).endswith(remedies.OLDER)


def test_a_file_that_cannot_be_opened_is_a_matter_of_rights(tmp_path: Path) -> None:
    assert trouble(engine.sqlite_url(tmp_path)) == f"unable to open database file. {remedies.RIGHTS}"


def test_what_is_no_database_is_for_a_backup(tmp_path: Path) -> None:
    (tmp_path / "orion.db").write_bytes(b"nothing of the kind" * 100)

    said = trouble(engine.sqlite_url(tmp_path / "orion.db"))

    assert said == f"file is not a database. {remedies.FOREIGN}"


def test_a_file_that_somebody_holds_is_for_later(tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(tmp_path / "orion.db", isolation_level=None)) as one,
        closing(sqlite3.connect(tmp_path / "orion.db", isolation_level=None, timeout=0)) as other,
    ):
        one.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as raised:
            other.execute("BEGIN IMMEDIATE")
    assert remedies.told(raised.value) == f"database is locked. {remedies.BUSY}"


def test_a_server_that_is_not_there_or_knows_no_such_database_is_named(
    postgresql_databases: Databases,
) -> None:
    refused = trouble(f"postgresql+psycopg://orion@127.0.0.1:{free_port()}/orion")
    assert "Connection refused" in refused
    assert refused.endswith(remedies.SERVER)
    with postgresql_databases.empty() as url:
        assert trouble(url.rpartition("/")[0] + "/nowhere").endswith(remedies.SERVER)
