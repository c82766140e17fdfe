"""Whoever has a database open is found, whatever they do with it."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from controller.store import engine, occupancy
from controller.store.store import Store
from tests.databases import Databases


async def test_a_store_that_does_nothing_is_found(store: Store, database_url: str) -> None:
    assert await asyncio.to_thread(occupancy.is_used, database_url)


def test_who_looked_once_and_stays_is_found_until_they_leave(databases: Databases) -> None:
    with databases.migrated() as url:
        assert not occupancy.is_used(url)
        reader = engine.reader(url)
        with reader.connect() as connection:
            connection.execute(text("SELECT 1 FROM devices")).all()
        assert occupancy.is_used(url)
        reader.dispose()
        assert not occupancy.is_used(url)
        assert not occupancy.is_used(url)  # to ask is not to stay


def test_where_there_is_no_file_none_is_made(tmp_path: Path) -> None:
    assert not occupancy.is_used(engine.sqlite_url(tmp_path / "orion.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(OperationalError):
        occupancy.is_used("postgresql+psycopg://ada@127.0.0.1:9/orion")
