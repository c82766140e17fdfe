"""A PostgreSQL server that goes away in the middle, that is missing, or that cannot store a character."""

import asyncio
import sys
from collections.abc import Iterator

import pytest
from sqlmodel import Session, col, select

from controller.services import audit
from controller.store import engine, server
from controller.store.store import Store, StoreFailed
from controller.store.tables import METADATA, AuditEntry, User
from schemas.wire import JsonObject
from tests.factories import NOON
from tests.postgres import Cluster, cluster

WITHIN = 20.0  # seconds


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A server that this test may stop."""
    with cluster() as running:
        yield running


def actions(session: Session) -> list[str]:
    return list(session.exec(select(AuditEntry.action).order_by(col(AuditEntry.number))))


async def test_a_server_that_is_killed_under_load_loses_nothing_that_was_confirmed(
    own_cluster: Cluster,
) -> None:
    store = await asyncio.to_thread(Store, own_cluster.url(own_cluster.create()))
    await asyncio.to_thread(store.open)
    confirmed: list[str] = []
    refused = 0

    async def write(number: int) -> bool:
        try:
            await store.write(lambda session: audit.record(session, f"n{number}", now=NOON))
        except StoreFailed:
            return False
        confirmed.append(f"n{number}")
        return True

    async def load(begin: int) -> None:
        nonlocal refused
        number = begin
        while not over.is_set():
            refused += not await write(number)
            number += 10
            await asyncio.sleep(0)

    over = asyncio.Event()
    loads = [asyncio.create_task(load(begin)) for begin in range(10)]
    await until(lambda: len(confirmed) > 100)
    await asyncio.to_thread(own_cluster.stop)
    await until(lambda: refused > 100)
    with pytest.raises(StoreFailed):
        await store.read(actions)
    await asyncio.to_thread(own_cluster.start)
    before = len(confirmed)
    await until(lambda: len(confirmed) > before + 100)  # by itself
    over.set()
    await asyncio.gather(*loads)

    stored = await store.read(actions)
    await asyncio.to_thread(store.close)
    assert set(confirmed) <= set(stored)
    assert len(stored) == len(set(stored))


async def until(holds: object) -> None:
    assert callable(holds)
    async with asyncio.timeout(WITHIN):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_connection_that_died_unseen_costs_nothing(postgresql_store: Store) -> None:
    await postgresql_store.write(lambda session: audit.record(session, "one", now=NOON))

    def end_the_others(session: Session) -> None:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        session.connection().exec_driver_sql(f"{others} AND pid <> pg_backend_pid()").all()

    await postgresql_store.read(end_the_others)

    await postgresql_store.write(lambda session: audit.record(session, "two", now=NOON))
    assert await postgresql_store.read(actions) == ["one", "two"]
    await postgresql_store.write(end_the_others)
    assert await postgresql_store.read(actions) == ["one", "two"]
    await postgresql_store.write(end_the_others)
    assert await postgresql_store.ask(actions) == ["one", "two"]


async def test_what_the_server_has_no_character_for_is_stored_as_its_picture(postgresql_store: Store) -> None:
    detail: JsonObject = {"a\0": ["\0", {"b": "\0"}], "path": "C:\\u0000"}
    await postgresql_store.write(lambda session: audit.record(session, "x\0y", now=NOON, detail=detail))
    many = [
        {"username": f"u{number}\0", "role": "\0", "added_by": "a", "added_at": NOON} for number in range(9)
    ]
    await postgresql_store.write(
        lambda session: session.connection().execute(METADATA.tables["users"].insert(), many).close()
    )

    def found(session: Session) -> tuple[str, object, set[str]]:
        (row,) = session.exec(select(AuditEntry))
        return row.action, row.detail, set(session.exec(select(User.role)))

    expected = {"a␀": ["␀", {"b": "␀"}], "path": "C:\\u0000"}
    assert await postgresql_store.read(found) == ("x␀y", expected, {"␀"})


def test_a_server_that_is_too_old_is_refused_by_its_number() -> None:
    server.check_version(150_000)
    with pytest.raises(server.TooOld, match="PostgreSQL 15 or newer is needed; this server is 14"):
        server.check_version(140_017)


def test_without_the_driver_a_person_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(server.DriverMissing, match=r"pip install 'orion-control-plane\[postgres\]'"):
        engine.writer("postgresql+psycopg://ada@127.0.0.1/orion")
