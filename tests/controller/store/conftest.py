"""A store on one kind of database, for what holds there alone."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from controller.store.store import Store
from tests.databases import Databases


@pytest.fixture
def sqlite_url(sqlite_databases: Databases) -> Iterator[str]:
    with sqlite_databases.migrated() as url:
        yield url


@pytest.fixture
async def sqlite_store(sqlite_url: str) -> AsyncIterator[Store]:
    async with running(sqlite_url) as store:
        yield store


@pytest.fixture
async def postgresql_store(postgresql_databases: Databases) -> AsyncIterator[Store]:
    with postgresql_databases.migrated() as url:
        async with running(url) as store:
            yield store


@asynccontextmanager
async def running(url: str) -> AsyncIterator[Store]:
    """A store with its writer thread and readers."""
    opened = await asyncio.to_thread(Store, url)
    await asyncio.to_thread(opened.open)
    yield opened
    await asyncio.to_thread(opened.close)
