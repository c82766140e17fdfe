"""Brokers under both administrations."""

from collections.abc import AsyncIterator

import pytest

from tests.broker.administered import DYNSEC, FILES, Administered, administered_broker


@pytest.fixture(params=[FILES, DYNSEC])
async def administered(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Administered]:
    """A broker for this test alone, under either administration."""
    async with administered_broker(request.param, tmp_path_factory.mktemp("administered")) as running:
        yield running
