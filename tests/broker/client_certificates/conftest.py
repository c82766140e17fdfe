"""A broker that lets in two devices by certificates."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.broker.encrypted import EncryptedBroker, encrypted_broker


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[EncryptedBroker]:
    async with encrypted_broker(tmp_path) as broker:
        await broker.running.add_device("lamp")
        await broker.running.add_device("pump")
        yield broker
