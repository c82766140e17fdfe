"""A migrated database and devices in it: the real store, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlmodel import Session

from controller.services import devices
from controller.store.store import Store
from controller.store.tables import Device
from tests.databases import POSTGRESQL, SQLITE, Databases, databases_of
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    with databases_of(SQLITE, tmp_path_factory.mktemp("databases")) as made:
        yield made


@pytest.fixture(scope="session")
def postgresql_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    with databases_of(POSTGRESQL, tmp_path_factory.mktemp("databases")) as made:
        yield made


@pytest.fixture(scope="session", params=(SQLITE, POSTGRESQL))
def databases(request: pytest.FixtureRequest) -> Databases:
    """Either kind of database: what needs a store is tried on both."""
    found: Databases = request.getfixturevalue(f"{request.param}_databases")
    return found


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
    opened = await asyncio.to_thread(Store, database_url)
    await asyncio.to_thread(opened.open)
    yield opened
    await asyncio.to_thread(opened.close)
