"""The probe: a message that must come back, and a cancellation that is never lost on the way."""

import asyncio

import pytest

from broker.probe import HEALTH, ProbeFailed, probe
from tests.broker.running import RunningBroker
from tests.ports import free_port


async def test_a_working_broker_answers(broker: RunningBroker) -> None:
    credentials = await asyncio.to_thread(broker.identities.kept, HEALTH)

    await probe(broker.settings.host, broker.settings.port, credentials)


async def test_an_absent_broker_is_told(broker: RunningBroker) -> None:
    credentials = await asyncio.to_thread(broker.identities.kept, HEALTH)

    with pytest.raises(ProbeFailed, match=r"127\.0\.0\.1"):
        await probe("127.0.0.1", free_port(), credentials)


async def test_a_probe_that_is_cancelled_at_any_moment_stays_cancelled(broker: RunningBroker) -> None:
    credentials = await asyncio.to_thread(broker.identities.kept, HEALTH)
    cancelled = 0
    for moment in range(300):
        probing = asyncio.create_task(probe(broker.settings.host, broker.settings.port, credentials))
        await asyncio.wait((probing,), timeout=moment * 0.00005)
        if probing.cancel():
            await asyncio.wait((probing,))
            assert probing.cancelled(), f"lost at moment {moment}"
            cancelled += 1

    assert cancelled
