"""A broker with all of its listeners, and the topic on which its device speaks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.broker.encrypted import EncryptedBroker, encrypted_broker

EVENT = "orion/v1/devices/a/event"


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[EncryptedBroker]:
    async with encrypted_broker(tmp_path) as broker:
        yield broker
