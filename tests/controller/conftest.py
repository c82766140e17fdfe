"""A migrated database and devices in it: the real store, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlmodel import Session

from controller.services import devices
from controller.store.keyring import KeyRing
from controller.store.store import Store
from controller.store.tables import Device
from tests.databases import Databases
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A migrated database of this test alone."""
    with databases.migrated() as url:
        yield url


@pytest.fixture
def session(databases: Databases) -> Iterator[Session]:
    """One transaction on a migrated database; never committed."""
    with Session(databases.writer, expire_on_commit=False) as open_session, open_session.begin():
        yield open_session
        open_session.rollback()


@pytest.fixture
def laptop(session: Session) -> Device:
    """An adopted device that is online and offers every built-in tool."""
    devices.add(session, a_place(), actor=ADMIN, now=NOON)
    devices.store_profile(session, "laptop", a_profile(), now=NOON)
    devices.store_presence(session, "laptop", a_presence(), now=NOON)
    session.flush()
    return devices.get(session, "laptop")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """The running store: its writer thread and readers."""
    async with running(database_url) as opened:
        yield opened


@pytest.fixture
def keyring(tmp_path: Path) -> KeyRing:
    """A controller's first key."""
    ring = KeyRing(tmp_path / "keys.json", lambda: NOON)
    ring.open()
    return ring


@pytest.fixture
def sqlite_url(sqlite_databases: Databases) -> Iterator[str]:
    with sqlite_databases.migrated() as url:
        yield url


@pytest.fixture
async def sqlite_store(sqlite_url: str) -> AsyncIterator[Store]:
    """A store for what holds on SQLite alone."""
    async with running(sqlite_url) as opened:
        yield opened


@pytest.fixture
async def postgresql_store(postgresql_databases: Databases) -> AsyncIterator[Store]:
    """A store for what holds on PostgreSQL alone."""
    with postgresql_databases.migrated() as url:
        async with running(url) as opened:
            yield opened


@asynccontextmanager
async def running(url: str) -> AsyncIterator[Store]:
    """A store with its writer thread and readers."""
    opened = await asyncio.to_thread(Store, url)
    await asyncio.to_thread(opened.open)
    yield opened
    await asyncio.to_thread(opened.close)
