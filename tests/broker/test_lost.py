"""Mosquitto 2.0.11 forgets whose session it is when somebody comes without a name; it is started again then."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from broker import supervisor
from broker.session import ConnectFailed, Endpoint, Session, Subscription
from schemas.topics import Kind
from tests.broker.running import RunningBroker


async def refused(endpoint: Endpoint, client_id: str) -> None:
    with pytest.raises(ConnectFailed):
        await Session(endpoint, client_id=client_id).connect()


async def nameless(broker: RunningBroker, client_id: str) -> None:
    await refused(Endpoint(broker.settings.host, broker.settings.port), client_id)


@asynccontextmanager
async def a_lamp(broker: RunningBroker, endpoint: Endpoint) -> AsyncIterator[Session]:
    session = Session(endpoint, client_id="lamp", session_expiry_s=600, clean_start=False)
    await session.connect()
    await session.subscribe([Subscription(broker.topics.device("lamp", Kind.COMMAND))])
    try:
        yield session
    finally:
        await session.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Whose sessions were said to be lost, at each time."""
    return [
        record.getMessage().split("session of ")[1].split(":")[0]
        for record in caplog.records
        if "lost the session of" in record.getMessage()
    ]


async def restarted(broker: RunningBroker, times: int) -> None:
    await until(lambda: broker.supervisor.restarts == times)


async def test_a_lost_session_hears_again(broker: RunningBroker) -> None:
    endpoint = await broker.add_device("lamp")
    async with a_lamp(broker, endpoint):
        await nameless(broker, "lamp")
        await restarted(broker, 1)
    controller = Session(broker.controller, client_id="controller-main")
    async with a_lamp(broker, endpoint) as lamp:
        await controller.connect()
        await controller.publish(broker.topics.device("lamp", Kind.COMMAND), b"on")
        (message,) = await lamp.receive(1)
        await controller.close()
    assert message.payload == b"on"


async def test_only_who_was_lost_is_a_reason(broker: RunningBroker, caplog: pytest.LogCaptureFixture) -> None:
    lamp = await broker.add_device("lamp")
    await broker.add_device("other")
    await refused(broker.endpoint("lamp", "wrong"), "lamp")
    await refused(broker.endpoint("nobody", "wrong"), "lamp")
    await nameless(broker, "nobody")
    async with a_lamp(broker, lamp):
        await nameless(broker, "other")
        await restarted(broker, 1)
    assert told(caplog) == ["other"]


async def test_a_damaged_list_of_names_does_not_end_the_watch(broker: RunningBroker) -> None:
    endpoint = await broker.add_device("lamp")
    path = broker.settings.directory / "identities.json"
    good = await asyncio.to_thread(path.read_bytes)
    await asyncio.to_thread(path.write_bytes, b"half")
    await nameless(broker, "lamp")
    pid = broker.supervisor.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await restarted(broker, 1)
    await asyncio.to_thread(path.write_bytes, good)
    async with a_lamp(broker, endpoint):
        await nameless(broker, "lamp")
        await restarted(broker, 2)


async def test_what_is_lost_soon_after_is_restored_together(
    broker: RunningBroker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "RESTORE_EVERY", 1.0)
    for name in ("first", "lamp", "other"):
        await broker.add_device(name)
    await nameless(broker, "first")
    await restarted(broker, 1)
    await nameless(broker, "lamp")
    await nameless(broker, "other")
    await restarted(broker, 2)
    assert told(caplog) == ["first", "lamp, other"]
