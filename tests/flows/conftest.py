"""The programs together on a real broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.broker.running import RunningBroker
from tests.flows.installation import Installation, RunningNode, installation, running_node


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
