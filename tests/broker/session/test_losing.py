"""A loss is noticed, ends everything that waits, and leaves the will that was asked for."""

import asyncio
import os
import signal

import pytest

from broker.session import ConnectionLost, Session, Subscription, Will
from tests.broker.running import RunningBroker
from tests.broker.session.sessions import TOPIC, a_session, connected, within


async def test_lost_connection_ends_everything_that_waits(broker: RunningBroker) -> None:
    session = a_session(broker)
    await session.connect()
    receiving = asyncio.create_task(session.receive(1))
    await asyncio.sleep(0)
    pid = broker.supervisor.pid
    assert pid is not None
    unanswered = [session.publish(TOPIC, b"{}") for _ in range(5_000)]
    os.kill(pid, signal.SIGKILL)
    error = await within(session.lost())
    assert isinstance(error, ConnectionLost)
    with pytest.raises(ConnectionLost):
        await receiving
    outcomes = await asyncio.gather(*unanswered, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {ConnectionLost, int}
    assert isinstance(outcomes[-1], ConnectionLost)
    with pytest.raises(ConnectionLost):
        await session.publish(TOPIC, b"{}")
    with pytest.raises(ConnectionLost):
        await session.subscribe([Subscription(TOPIC)])
    await session.close()


async def test_broker_that_falls_silent_is_noticed(broker: RunningBroker) -> None:
    session = Session(broker.controller, client_id="controller-main", keepalive_s=1)
    await session.connect()
    assert broker.supervisor.pid is not None
    os.kill(broker.supervisor.pid, signal.SIGSTOP)
    try:
        error = await within(session.lost(), 10)
    finally:
        os.kill(broker.supervisor.pid, signal.SIGCONT)
    assert "silent" in str(error)
    await session.close()


async def test_quiet_connection_is_kept_alive(broker: RunningBroker) -> None:
    async with connected(Session(broker.controller, client_id="controller-main", keepalive_s=1)) as session:
        with pytest.raises(TimeoutError):
            await within(session.lost(), 2.5)


async def test_taken_over_session_is_lost(broker: RunningBroker) -> None:
    async with connected(a_session(broker)) as first, connected(a_session(broker)):
        error = await within(first.lost())
        assert isinstance(error, ConnectionLost)


async def test_will_waits_for_its_delay_and_a_return_prevents_it(broker: RunningBroker) -> None:
    presence = "orion/v1/devices/laptop/presence"
    endpoint = await broker.add_device("laptop")

    def device(delay_s: int) -> Session:
        return Session(endpoint, client_id="laptop", will=Will(presence, b"gone", delay_s=delay_s))

    async with connected(a_session(broker)) as watching:
        await watching.subscribe([Subscription(presence)])
        first = device(1)
        await first.connect()
        await first.close(keep_will=True)
        back = device(0)
        await back.connect()
        await back.publish(presence, b"online", retain=True)
        (message,) = await watching.receive(1)
        assert message.payload == b"online"
        await back.close(keep_will=True)
        (message,) = await watching.receive(1)
        assert message.payload == b"gone"


async def test_clean_close_leaves_no_will(broker: RunningBroker) -> None:
    presence = "orion/v1/devices/laptop/presence"
    endpoint = await broker.add_device("laptop")
    async with connected(Session(endpoint, client_id="laptop", will=Will(presence, b"gone", delay_s=0))):
        pass
    async with connected(a_session(broker)) as watching:
        await watching.subscribe([Subscription(presence)])
        await watching.publish(presence, b"marker")
        (message,) = await watching.receive(1)
        assert message.payload == b"marker"
