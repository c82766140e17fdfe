"""A door where somebody shuts out who sends too much."""

from collections.abc import AsyncIterator

import pytest

from broker.identities import Local
from controller.store.store import Store
from tests.broker.gate import WatchedGate
from tests.broker.running import RunningBroker
from tests.controller.mqtt.door import Door, opened
from tests.controller.mqtt.warden.loud import SMALL


@pytest.fixture
def gate(broker: RunningBroker) -> WatchedGate:
    return WatchedGate(Local(broker.identities, broker.controller))


@pytest.fixture
async def guarded(broker: RunningBroker, store: Store, gate: WatchedGate) -> AsyncIterator[Door]:
    """A door where a device may send little, and somebody shuts out who sends more."""
    async with opened(broker, store, gate=gate, allowance=SMALL) as running:
        yield running
