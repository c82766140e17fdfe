"""A node on a machine that goes to sleep: it says so, starts nothing, and is back at once."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.session.steady import steady
from device_node.sleep import Pulse
from schemas.topics import Kind
from tests.broker.running import RunningBroker
from tests.device_node.harness import DEVICE, Message, a_command, controlling, node, settings_for
from tests.device_node.sleep.login_manager import LoginManager, login_manager, message_bus


@pytest.fixture
async def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LoginManager]:
    """The login manager of the machine that the node runs on."""
    async with message_bus(tmp_path) as address, login_manager(address) as (manager, _):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield manager


def online(presence: Message) -> bool:
    return bool(presence["state"] == "online")


def offline(presence: Message) -> bool:
    return not online(presence)


def making(tmp_path: Path, name: str) -> Message:
    return a_command("create_directory", arguments={"path": str(tmp_path / "allowed" / name)})


async def test_sleep_is_said_before_it_and_ends_with_the_same_life(
    broker: RunningBroker, tmp_path: Path, manager: LoginManager
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, will_delay_s=0)
    async with controlling(broker) as side, node(settings):
        born = await side.next("presence", online)
        for _ in range(2):
            lock = await manager.lock()

            manager.say(begins=True)
            asleep = await side.next("presence", offline)
            assert (asleep["reason"], asleep["boot_id"]) == ("sleeping", born["boot_id"])
            await lock.let_go()

            manager.say(begins=False)
            awake = await side.next("presence")
            assert (awake["state"], awake["boot_id"]) == ("online", born["boot_id"])
            await side.still_answers()
        presences = [message for received, message in side.seen if received.topic.endswith("/presence")]
        # the line was closed cleanly, so that no will says something else of the sleeping device
        assert [presence.get("reason") for presence in presences] == [None, *["sleeping", None] * 2]


async def test_sleeping_node_is_offline_for_who_comes_later(
    broker: RunningBroker, tmp_path: Path, manager: LoginManager
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, will_delay_s=0)
    async with controlling(broker) as side, node(settings):
        await side.next("presence", online)
        lock = await manager.lock()
        manager.say(begins=True)
        await lock.let_go()
        async with controlling(broker) as late:
            assert (await late.next("presence"))["reason"] == "sleeping"


async def test_order_that_waits_while_the_machine_falls_asleep_starts_after_it(
    broker: RunningBroker, tmp_path: Path, manager: LoginManager
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, max_running=1)
    ended = tmp_path / "ended"
    async with controlling(broker) as side, node(settings):
        await side.next("presence", online)
        lock = await manager.lock()
        slow = a_command("run_command", arguments={"command": f"sh -c 'sleep 0.5; touch {ended}'"})
        waiting = making(tmp_path, "waiting")
        await side.send(Kind.COMMAND, slow, expiry_s=60)
        await side.send(Kind.COMMAND, waiting, expiry_s=60)
        await side.next("reply/", lambda reply: reply["command_id"] == slow["id"])
        await side.send(Kind.COMMAND, {**waiting, "attempt": 2}, expiry_s=60)
        await side.next("reply/", lambda reply: reply["command_id"] == waiting["id"])  # it has arrived

        manager.say(begins=True)
        await lock.let_go()
        async with asyncio.timeout(10):
            while not await asyncio.to_thread(ended.exists):
                await asyncio.sleep(0.01)
        late = making(tmp_path, "late")
        await side.send(Kind.COMMAND, late, expiry_s=60)
        woken_at = time.time()
        manager.say(begins=False)

        for command in (slow, waiting, late):
            await side.final(command["id"])
    for name in ("waiting", "late"):
        assert (tmp_path / "allowed" / name).stat().st_mtime >= woken_at - 0.01


async def test_broker_that_is_silent_does_not_hold_the_sleep_up(
    tmp_path: Path, broker: RunningBroker, manager: LoginManager
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node(settings):
        await side.next("presence", online)
        lock = await manager.lock()
        assert broker.supervisor.pid is not None
        os.kill(broker.supervisor.pid, signal.SIGSTOP)
        try:
            manager.say(begins=True)
            await lock.let_go()
        finally:
            os.kill(broker.supervisor.pid, signal.SIGCONT)


async def test_node_can_be_stopped_while_its_machine_falls_asleep(
    broker: RunningBroker, tmp_path: Path, manager: LoginManager
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node(settings) as running:
        await side.next("presence", online)
        lock = await manager.lock()
        manager.say(begins=True)
        await lock.let_go()
    assert running.result() == 0


async def test_sleep_that_nobody_announced_ends_with_a_new_connection(
    broker: RunningBroker, tmp_path: Path
) -> None:
    slept = 0.0
    pulse = Pulse(steady=lambda: steady() + slept)
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node(settings, pulse=pulse):
        born = await side.next("presence", online)
        await side.next("heartbeat")
        slept = 3_600.0
        again = await side.next("presence")
        assert (again["state"], again["boot_id"]) == ("online", born["boot_id"])
        await side.still_answers()
