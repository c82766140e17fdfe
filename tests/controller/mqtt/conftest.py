"""The controller's door on MQTT, open, and a device that has arrived."""

from collections.abc import AsyncIterator

import pytest

from controller.store.store import Store
from tests.broker.running import RunningBroker
from tests.controller.mqtt.door import Door, arrive, device, opened
from tests.controller.mqtt.peer import Peer


@pytest.fixture
async def door(broker: RunningBroker, store: Store) -> AsyncIterator[Door]:
    """The MQTT side of a controller, connected to a broker of this test alone."""
    async with opened(broker, store) as running:
        yield running


@pytest.fixture
async def laptop(door: Door) -> AsyncIterator[Peer]:
    """An adopted device with every built-in tool, online."""
    async with device(door) as found:
        await arrive(door, found)
        yield found
