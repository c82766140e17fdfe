"""What the system says of its sleep, heard on a real message bus."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from device_node.sleep import logind
from tests.device_node.sleep.login_manager import MANAGER, login_manager, message_bus


class Node:
    """Who is told, and writes it down."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[str] = asyncio.Queue()
        self.ready = asyncio.Event()
        self.ready.set()

    async def falls_asleep(self) -> None:
        self.told.put_nowait("sleep")
        await self.ready.wait()

    def wakes(self) -> None:
        self.told.put_nowait("wake")

    async def next(self) -> str:
        async with asyncio.timeout(10):
            return await self.told.get()


@asynccontextmanager
async def following(node: Node) -> AsyncIterator[None]:
    task = asyncio.create_task(logind.follow(node))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    async with message_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


async def test_suspend_waits_until_the_node_is_ready(bus: str) -> None:
    node = Node()
    async with login_manager(bus) as (manager, _), following(node):
        lock = await manager.lock()
        assert manager.asked == [("sleep", "delay")]
        node.ready.clear()

        manager.say(begins=True)
        assert await node.next() == "sleep"
        assert lock.is_held()
        node.ready.set()
        await lock.let_go()


async def test_every_suspend_is_told_and_waited_for(bus: str) -> None:
    node = Node()
    async with login_manager(bus) as (manager, _), following(node):
        for _ in range(3):
            lock = await manager.lock()
            manager.say(begins=True)
            assert await node.next() == "sleep"
            await lock.let_go()
            manager.say(begins=False)
            assert await node.next() == "wake"


async def test_word_of_anybody_else_on_the_bus_does_not_count(bus: str) -> None:
    node = Node()
    async with login_manager(bus) as (manager, _), following(node):
        lock = await manager.lock()
        stranger = await MessageBus(bus_address=bus).connect()
        listener = await _unique_name_of_the_follower(stranger)
        for destination in (None, listener):
            await stranger.send(
                Message(
                    destination=destination,
                    path="/org/freedesktop/login1",
                    interface=MANAGER,
                    member="PrepareForSleep",
                    signature="b",
                    body=[True],
                    message_type=MessageType.SIGNAL,
                )
            )
        # the bus keeps the order of one sender: what came before this call was delivered
        await _ping(stranger, listener)
        stranger.disconnect()

        manager.say(begins=False)
        assert await node.next() == "wake"
        assert lock.is_held()
        assert node.told.empty()


@pytest.mark.parametrize("address", ["unix:path=/nowhere/at/all", "nonsense", ""])
async def test_machine_without_a_bus_is_no_failure(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    await _says_once_that_it_cannot(logind.follow, caplog)


async def test_machine_without_a_login_manager_is_no_failure(
    bus: str, caplog: pytest.LogCaptureFixture
) -> None:
    await _says_once_that_it_cannot(logind.follow, caplog)


async def test_installation_without_the_extra_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dbus_fast", None)
    await _says_once_that_it_cannot(logind.follow, caplog)


async def _says_once_that_it_cannot(
    follow: Callable[[logind.Told], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "device_node"):
        async with asyncio.timeout(10):
            await follow(Node())
    assert [(record.levelname, "not announced here" in record.message) for record in caplog.records] == [
        ("DEBUG", True)
    ]


async def _unique_name_of_the_follower(stranger: MessageBus) -> str:
    reply = await _call(stranger, "org.freedesktop.DBus", "ListNames")
    names = [name for name in reply.body[0] if name.startswith(":") and name != stranger.unique_name]
    manager = (await _call(stranger, "org.freedesktop.DBus", "GetNameOwner", "org.freedesktop.login1")).body[
        0
    ]
    [follower] = [name for name in names if name != manager]
    return str(follower)


async def _ping(stranger: MessageBus, destination: str) -> None:
    await stranger.call(
        Message(destination=destination, path="/", interface="org.freedesktop.DBus.Peer", member="Ping")
    )


async def _call(bus: MessageBus, destination: str, member: str, *words: str) -> Message:
    reply = await bus.call(
        Message(
            destination=destination,
            path="/org/freedesktop/DBus",
            interface=destination,
            member=member,
            signature="s" * len(words),
            body=list(words),
        )
    )
    assert reply is not None
    return reply
