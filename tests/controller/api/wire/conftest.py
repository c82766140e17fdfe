"""A server on a port of its own, as long as a test."""

from collections.abc import AsyncIterator

import pytest

from tests.controller.api.conftest import Api
from tests.controller.api.wire.exchanging import serving


@pytest.fixture
async def port(api: Api) -> AsyncIterator[int]:
    """The whole API on a port."""
    async with serving(api.app) as served:
        yield served
