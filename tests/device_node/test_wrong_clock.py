"""A node whose clock is days wrong, on a real broker, neither loses an order nor runs a late one."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.topics import Kind
from schemas.wire import format_instant
from tests.broker.running import RunningBroker
from tests.device_node.harness import (
    DEVICE,
    ControllerSide,
    Message,
    a_cancel,
    a_command,
    controlling,
    forgotten,
    node,
    settings_for,
)
from tests.device_node.process import node_process

DAYS = timedelta(days=3)


class WallClock:
    """The clock of the device, `off` by as much as the test says."""

    def __init__(self, off: timedelta) -> None:
        self.off = off

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.off


def seconds_between(moment: str, other: datetime) -> float:
    return abs((datetime.fromisoformat(moment) - other).total_seconds())


def making(tmp_path: Path, name: str, **changes: object) -> Message:
    return a_command("create_directory", arguments={"path": str(tmp_path / "allowed" / name)}, **changes)


def lasting(seconds: float, *, issued_ago: float = 0.0) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "issued_at": format_instant(now - timedelta(seconds=issued_ago)),
        "expires_at": format_instant(now + timedelta(seconds=seconds)),
    }


async def learn(side: ControllerSide) -> None:
    """A command is answered and acknowledged, as controllers do."""
    command = a_command()
    await side.ask(command, expiry_s=60)
    await side.ack(command["id"])
    await side.still_answers()


@pytest.mark.parametrize("off", [-DAYS, DAYS])
async def test_first_order_runs_and_a_late_one_does_not(
    broker: RunningBroker, tmp_path: Path, off: timedelta
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node(settings, own_time=WallClock(off)):
        await side.next("presence")
        assert (await side.ask(making(tmp_path, "first"), expiry_s=60))["status"] == "succeeded"
        late = making(tmp_path, "late", **lasting(-1, issued_ago=60))
        assert (await side.ask(late, expiry_s=60))["status"] == "expired"
    assert [path.name for path in (tmp_path / "allowed").iterdir()] == ["first"]


@pytest.mark.parametrize("off", [-DAYS, DAYS])
async def test_clock_that_was_learned_judges_orders_without_an_expiry(
    broker: RunningBroker, tmp_path: Path, off: timedelta
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    clock = WallClock(off)
    async with controlling(broker) as side, node(settings, own_time=clock):
        await side.next("presence")
        await learn(side)
        clock.off = -2 * off  # and then somebody sets it wrong the other way
        assert (await side.ask(making(tmp_path, "on time")))["status"] == "succeeded"
        assert (await side.ask(making(tmp_path, "late", **lasting(-5, issued_ago=60))))["status"] == "expired"
    assert [path.name for path in (tmp_path / "allowed").iterdir()] == ["on time"]


async def test_what_was_learned_holds_in_the_next_life(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side:
        async with node(settings, own_time=WallClock(DAYS)):
            await side.next("presence")
            await learn(side)
        async with node(settings, own_time=WallClock(DAYS)):
            await side.next("presence", lambda presence: presence["state"] == "online")
            assert (await side.ask(making(tmp_path, "next life")))["status"] == "succeeded"


@pytest.mark.parametrize("off", [-DAYS, DAYS])
async def test_replies_carry_the_learned_time_and_signs_of_life_the_own_one(
    broker: RunningBroker, tmp_path: Path, off: timedelta
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, heartbeat_s=0.1)
    clock = WallClock(off)
    async with controlling(broker) as side, node(settings, own_time=clock):
        assert seconds_between((await side.next("presence"))["at"], clock()) < 60
        await learn(side)
        assert seconds_between((await side.ask(a_command()))["at"], datetime.now(UTC)) < 60
        assert seconds_between((await side.next("heartbeat"))["at"], clock()) < 60


@pytest.mark.parametrize("off", [-DAYS, DAYS])
async def test_cancel_reaches_what_runs_whatever_the_clock_says(
    broker: RunningBroker, tmp_path: Path, off: timedelta
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node(settings, own_time=WallClock(off)):
        await side.next("presence")
        slow = a_command("run_command", arguments={"command": "sleep 30"})
        await side.send(Kind.COMMAND, slow, expiry_s=60)
        await side.next("reply/", lambda reply: reply["status"] == "accepted")
        await side.send(Kind.CANCEL, a_cancel(slow["id"]), expiry_s=60)
        assert (await side.final(slow["id"]))["status"] == "cancelled"


async def test_order_that_waited_its_turn_too_long_does_not_start(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, max_running=1)
    async with controlling(broker) as side, node(settings, own_time=WallClock(-DAYS)):
        await side.next("presence")
        slow = a_command("run_command", arguments={"command": "sleep 2.5"})
        await side.send(Kind.COMMAND, slow, expiry_s=60)
        waiting = making(tmp_path, "late", **lasting(1))
        assert (await side.ask(waiting, expiry_s=1))["status"] == "expired"
    assert list((tmp_path / "allowed").iterdir()) == []


async def test_ids_are_kept_while_only_the_own_clock_says_that_they_are_old(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    command = making(tmp_path, "once")
    async with controlling(broker) as side:
        async with node(settings):
            await side.next("presence")
            first = await side.ask(command, expiry_s=60)
        async with node(settings, own_time=WallClock(400 * DAYS)):  # it tidies up when it starts
            await side.next("presence", lambda presence: presence["state"] == "online")
            await asyncio.to_thread((tmp_path / "allowed" / "once").rmdir)
            assert await side.ask(command, expiry_s=60) == first
    assert list((tmp_path / "allowed").iterdir()) == []


async def test_order_that_lay_in_the_socket_of_a_stopped_node_does_not_run_late(
    broker: RunningBroker, tmp_path: Path
) -> None:
    """The broker's word of its remaining life was true when it was sent, not when it was read."""
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node_process(settings, tmp_path) as process:
        await side.next("heartbeat")
        process.send_signal(signal.SIGSTOP)
        late = making(tmp_path, "late", **lasting(1))
        await side.send(Kind.COMMAND, late, expiry_s=1)
        while datetime.now(UTC) < datetime.fromisoformat(late["expires_at"]) + timedelta(seconds=2):
            await asyncio.sleep(0.1)
        process.send_signal(signal.SIGCONT)
        assert (await side.final(late["id"]))["status"] == "expired"
    assert list((tmp_path / "allowed").iterdir()) == []


@pytest.mark.parametrize("step", ["receive", "cancel", "acknowledge"])
async def test_latest_time_seen_outlives_a_kill_at_the_step_that_told_it(
    broker: RunningBroker, tmp_path: Path, step: str
) -> None:
    endpoint = await broker.add_device(DEVICE)
    settings = settings_for(endpoint, tmp_path)
    ahead = datetime.now(UTC) + DAYS
    at, until = format_instant(ahead), format_instant(ahead + timedelta(seconds=60))
    told: dict[str, tuple[Kind, Message]] = {
        "receive": (Kind.COMMAND, a_command(issued_at=at, expires_at=until)),
        "cancel": (Kind.CANCEL, {**a_cancel("never-sent"), "at": at, "expires_at": until}),
        "acknowledge": (Kind.ACK, {"at": at, "replies": ["unknown"]}),
    }
    async with controlling(broker) as side:
        dies = f"after device_node.journal:Journal.{step}"
        async with node_process(settings, tmp_path, dies=dies) as process:
            await side.next("presence", lambda presence: presence["state"] == "online")
            kind, message = told[step]
            await side.send(kind, message, expiry_s=60)
            async with asyncio.timeout(10):
                assert await process.wait() == -9
        await forgotten(endpoint)
        async with node(settings):
            await side.next("presence", lambda presence: presence["state"] == "online")
            late = await side.ask(making(tmp_path, "withheld"), expiry_s=60)
            assert late["status"] == "expired"
    assert list((tmp_path / "allowed").iterdir()) == []
