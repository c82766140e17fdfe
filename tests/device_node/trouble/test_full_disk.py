"""On a full disk a node refuses the new, knows the old and loses no result."""

import asyncio
from pathlib import Path

from schemas.topics import Kind
from tests.broker.running import RunningBroker
from tests.device_node.harness import (
    DEVICE,
    ControllerSide,
    Message,
    a_command,
    controlling,
    node,
    settings_for,
)
from tests.device_node.process import node_process
from tests.device_node.trouble.breakage import beats_on, making, told
from tests.disks import Disk


async def test_node_on_a_full_disk_refuses_the_new_and_knows_the_old(
    broker: RunningBroker, tmp_path: Path, disk: Disk
) -> None:
    settings = settings_for(
        await broker.add_device(DEVICE), tmp_path, heartbeat_s=0.05, data_dir=disk.path / "data"
    )
    async with controlling(broker) as side, node(settings):
        await side.next("presence")
        known = a_command()
        answer = await side.ask(known)
        await disk.fill()
        refused = await until_refused(side)
        assert refused["error"]["code"] == "internal"
        assert "disk is full" in refused["error"]["message"]
        await told(side, "disk_full")
        assert await side.ask(known) == answer
        new = await side.ask(making(tmp_path / "allowed", "new", attempt=2))
        assert new["status"] == "rejected"  # what the journal does not know has not run
        await beats_on(side)

        await disk.free()
        await side.next("event", lambda event: "resolves" in event)
        await side.still_answers()
    assert not (tmp_path / "allowed" / "new").exists()


async def test_refusal_on_a_full_disk_outlives_the_program(
    broker: RunningBroker, tmp_path: Path, disk: Disk
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, data_dir=disk.path / "data")
    command = making(tmp_path / "allowed", "never")
    async with controlling(broker) as side:
        async with node_process(settings, tmp_path) as process:
            await side.next("presence")
            await disk.fill()
            await until_refused(side)
            assert (await side.ask(command))["status"] == "rejected"
            process.kill()
            await process.wait()
        await disk.free()
        async with node_process(settings, tmp_path) as process:
            await side.next("presence", lambda presence: presence["state"] == "online")
            assert (await side.ask({**command, "attempt": 2}))["status"] == "rejected"
            process.kill()
            await process.wait()
        async with node(settings):
            assert (await side.ask({**command, "attempt": 3}))["status"] == "rejected"
            await side.still_answers()
    assert not (tmp_path / "allowed" / "never").exists()


async def test_result_that_finds_no_room_is_kept_back_and_not_lost(
    broker: RunningBroker, tmp_path: Path, disk: Disk
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, data_dir=disk.path / "data")
    done = tmp_path / "allowed" / "done"
    text = tmp_path / "allowed" / "text"
    text.write_text("x" * 100_000)
    command = a_command("run_command", arguments={"command": f"sh -c 'sleep 1; cat {text}; touch {done}'"})
    async with controlling(broker) as side, node(settings):
        await side.next("presence")
        await side.send(Kind.COMMAND, command)
        await side.next("reply/", lambda reply: reply["status"] == "accepted")
        await disk.fill()
        async with asyncio.timeout(10):
            while not await asyncio.to_thread(done.exists):
                await asyncio.sleep(0.02)
        await side.send(Kind.COMMAND, {**command, "attempt": 2})
        again = await side.next("reply/")
        assert again["status"] == "accepted"
        await disk.free()
        assert (await side.final(command["id"]))["status"] == "succeeded"


async def until_refused(side: ControllerSide) -> Message:
    """The log may have room for some more; its last page cannot be written."""
    for _ in range(2_000):
        reply = await side.ask(a_command())
        if reply["status"] == "rejected":
            return reply
    raise AssertionError("the disk never filled up")
