"""What was deleted gives its room back, and nothing else moves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, text
from sqlmodel import Session

from controller.store import engine, migrate, space
from controller.store.store import Store

ROWS = 4_000
SIZE = 3_000  # characters


def fill(session: Session) -> None:
    session.connection().execute(text("CREATE TABLE heap (number INTEGER PRIMARY KEY, words TEXT)"))
    insert = text("INSERT INTO heap VALUES (:number, :words)")
    rows = [{"number": number, "words": f"{number:>{SIZE}}"} for number in range(ROWS)]
    session.connection().execute(insert, rows)


def empty(session: Session) -> None:
    session.connection().execute(text("DELETE FROM heap WHERE number >= 10"))


def pages(session: Session) -> int:
    return int(session.connection().execute(text("PRAGMA page_count")).scalar_one())


def words(session: Session) -> list[str]:
    return list(session.connection().execute(text("SELECT words FROM heap ORDER BY number")).scalars())


async def test_a_file_gets_shorter_by_what_it_does_not_need(sqlite_store: Store) -> None:
    store = sqlite_store
    await store.write(fill)
    assert await store.read(space.free) == 0
    full = await store.read(pages)
    await store.write(empty)

    gone = await store.write(lambda session: space.give_back(session, at_most=100))
    assert gone == 100
    while await store.read(space.free):
        gone += await store.write(lambda session: space.give_back(session, at_most=ROWS))

    assert await store.read(pages) <= full - gone < full / 2
    assert await store.read(words) == [f"{number:>{SIZE}}" for number in range(10)]


async def test_a_server_gives_back_by_itself(postgresql_store: Store) -> None:
    store = postgresql_store

    assert await store.read(space.free) == 0
    assert await store.write(lambda session: space.give_back(session, at_most=10)) == 0
    await store.write(space.look_again)


@pytest.mark.parametrize("bring", [migrate.prepare, migrate.upgrade])
def test_a_file_of_an_earlier_release_is_rebuilt_once(
    tmp_path: Path, bring: Callable[[Engine], None]
) -> None:
    writer = engine.writer(engine.sqlite_url(tmp_path / "orion.db"))
    with writer.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.execute("PRAGMA auto_vacuum=NONE")
        raw.execute("VACUUM")
    command.upgrade(migrate.configuration(writer), "0008")

    bring(writer)

    with Session(writer) as session:
        fill(session)
        empty(session)
        session.flush()
        assert space.free(session) > 0
        session.rollback()
    writer.dispose()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a test is small, and all of it would be spare."""
    monkeypatch.setattr(space, "SPARE_PAGES", 16)
