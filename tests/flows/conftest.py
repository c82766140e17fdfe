"""The programs together on a real broker."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.broker.running import RunningBroker
from tests.databases import Databases, kind_for, one_a_folder
from tests.flows.installation import Installation, RunningNode, installation, running_node


@pytest.fixture(autouse=True)
def databases_of_the_test(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Half of the stories are told on SQLite, half on PostgreSQL: a database a folder, while the test runs.

    Its name decides, so that it is always the same one. What the stories are made of is tried on both.
    """
    kind = kind_for(request.node.nodeid, request.config)
    databases: Databases = request.getfixturevalue(f"{kind}_databases")
    with one_a_folder(databases.migrated) as url_for:
        monkeypatch.setattr("tests.flows.installation.database_for", url_for)
        yield


@pytest.fixture
async def orion(broker: RunningBroker, tmp_path: Path) -> AsyncIterator[Installation]:
    """A controller without a model, on a broker of this test alone."""
    async with installation(broker, tmp_path) as running:
        yield running


@pytest.fixture
async def laptop(orion: Installation, tmp_path: Path) -> AsyncIterator[RunningNode]:
    """Our node on a device that people call their laptop."""
    async with running_node(orion, tmp_path / "laptop", name="Laptop") as running:
        yield running
