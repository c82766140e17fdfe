"""A database with odd values in every table, and one of the other kind."""

from collections.abc import Iterator

import pytest

from tests.controller.store.moving import odd
from tests.controller.store.moving.ends import Ends, opened
from tests.databases import POSTGRESQL, SQLITE, Databases


@pytest.fixture
def other(databases: Databases, request: pytest.FixtureRequest) -> Databases:
    """Where databases of the other kind come from."""
    kind = SQLITE if databases.kind == POSTGRESQL else POSTGRESQL
    found: Databases = request.getfixturevalue(f"{kind}_databases")
    return found


@pytest.fixture
def ends(databases: Databases, other: Databases) -> Iterator[Ends]:
    """A database with rows in every table, and one of the other kind without even a schema."""
    with (
        databases.migrated() as from_url,
        other.empty() as to_url,
        opened(from_url) as source,
        opened(to_url) as target,
    ):
        odd.fill(source)
        yield Ends(source, target)


@pytest.fixture
def to_server(sqlite_databases: Databases, postgresql_databases: Databases) -> Iterator[Ends]:
    """From an empty file to an empty server."""
    with (
        sqlite_databases.migrated() as from_url,
        postgresql_databases.migrated() as to_url,
        opened(from_url) as source,
        opened(to_url) as target,
    ):
        yield Ends(source, target)
