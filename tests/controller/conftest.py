"""A migrated database and devices in it: the real store, one file a test."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlmodel import Session

from controller.services import devices
from controller.store import engine, migrate
from controller.store.store import Store
from controller.store.tables import Device
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database that holds nothing, to be copied: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "orion.db"
    writer = engine.writer(engine.sqlite_url(path))
    migrate.upgrade(writer)
    writer.dispose()
    return path


@pytest.fixture
def database_url(tmp_path: Path, migrated: Path) -> str:
    """A database of this test alone."""
    path = tmp_path / "orion.db"
    shutil.copyfile(migrated, path)
    return engine.sqlite_url(path)


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    """One transaction on a migrated database; never committed."""
    writer = engine.writer(database_url)
    with Session(writer, expire_on_commit=False) as open_session, open_session.begin():
        yield open_session
        open_session.rollback()
    writer.dispose()


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
