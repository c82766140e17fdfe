"""The programs together on a real broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.broker.running import RunningBroker
from tests.flows.installation import Installation, installation


@pytest.fixture
async def orion(broker: RunningBroker, tmp_path: Path) -> AsyncIterator[Installation]:
    """A controller without a model, on a broker of this test alone."""
    async with installation(broker, tmp_path) as running:
        yield running
