"""An installation on each database for the whole session, their attackers, and the table that the tests fill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Databases, kind_for
from tests.security.rows import TABLE, Attempt, Row, Seen, Table, declared
from tests.security.stand import Stand
from tests.security.standing import standing

HERE = Path(__file__).parent
LAST = "test_the_page_says_what_was_seen"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The page is compared when every row has been made."""
    here = [index for index, item in enumerate(items) if item.path.parent == HERE]
    ours = sorted((items[index] for index in here), key=lambda item: item.name == LAST)
    for index, item in zip(here, ours, strict=True):
        items[index] = item


@pytest.fixture(scope="session")
def table(pytestconfig: pytest.Config) -> Table:
    return pytestconfig.stash.setdefault(TABLE, Table())


@pytest.fixture(scope="package")
def stand_on_sqlite(tmp_path_factory: pytest.TempPathFactory, sqlite_databases: Databases) -> Iterator[Stand]:
    with sqlite_databases.migrated() as url, standing(tmp_path_factory.mktemp("stand"), url) as running:
        yield running


@pytest.fixture(scope="package")
def stand_on_postgresql(
    tmp_path_factory: pytest.TempPathFactory, postgresql_databases: Databases
) -> Iterator[Stand]:
    with postgresql_databases.migrated() as url, standing(tmp_path_factory.mktemp("stand"), url) as running:
        yield running


@pytest.fixture
def stand(request: pytest.FixtureRequest) -> Stand:
    """One of the two, and for a file always the same: its name decides."""
    kind = kind_for(request.path.name, request.config)
    found: Stand = request.getfixturevalue(f"stand_on_{kind}")
    return found


@pytest.fixture
def seen(request: pytest.FixtureRequest, table: Table) -> Iterator[Seen]:
    """What this test saw of its attempt; it becomes a row."""
    attempt = declared(request.node)
    assert isinstance(attempt, Attempt), "a test that is given `seen` declares an attempt"
    found = Seen()
    yield found
    if found.outcome:  # a test that failed before has said so
        assert found.allowed, "no control succeeded"
        table.rows[request.node.nodeid] = Row(attempt, found.outcome)
