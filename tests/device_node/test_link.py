"""The node's line: its birth, its will, and what it sends again."""

import asyncio
import json
import logging
import time
from pathlib import Path

import pytest

from broker.session import Session
from schemas.devices import Heartbeat, Profile
from schemas.topics import Kind
from tests.broker.running import RunningBroker
from tests.device_node.harness import (
    DEVICE,
    Message,
    a_command,
    controlling,
    cut_off,
    node,
    settings_for,
)
from tests.device_node.process import node_process


def online(presence: Message) -> bool:
    return bool(presence["state"] == "online")


def offline(presence: Message) -> bool:
    return bool(presence["state"] == "offline")


async def test_node_is_born_in_the_order_of_the_contract(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node(settings):
        await side.next("heartbeat")
        kinds = [received.topic.rsplit("/", 1)[1] for received, _ in side.seen]
        assert kinds[:3] == ["profile", "presence", "heartbeat"]
        boot_ids = {message["boot_id"] for _, message in side.seen}
        assert len(boot_ids) == 1
        await side.still_answers()


async def test_profile_and_heartbeat_say_what_the_device_is(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, name="Anna's laptop")
    async with controlling(broker) as side, node(settings):
        profile = Profile.decode(str_bytes(await side.next("profile")))
        assert profile.device_id == DEVICE
        assert profile.hostname == "Anna's laptop"
        assert profile.allowed_paths == [str(tmp_path / "allowed")]
        assert "create_directory" in {tool.name for tool in profile.tools}
        assert "shutdown_device" not in {tool.name for tool in profile.tools}
        heartbeat = Heartbeat.decode(str_bytes(await side.next("heartbeat")))
        assert heartbeat.memory_percent is not None
        assert heartbeat.memory_percent > 0
        assert heartbeat.disks


async def test_state_is_retained_and_heartbeats_count_on(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, heartbeat_s=0.05)
    async with controlling(broker) as early, node(settings):
        first = await early.next("heartbeat")
        second = await early.next("heartbeat")
        assert second["seq"] == first["seq"] + 1
        async with controlling(broker) as late:
            for kind in ("presence", "profile", "heartbeat"):
                await late.next(kind)
            assert [received.retain for received, _ in late.seen[:3]] == [True] * 3


async def test_stop_is_told_and_leaves_no_will(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, will_delay_s=0)
    async with controlling(broker) as side:
        async with node(settings):
            born = await side.next("presence", online)
        gone = await side.next("presence", offline)
        assert (gone["reason"], gone["boot_id"]) == ("stopped", born["boot_id"])
        async with node(settings):
            again = await side.next("presence")
            assert again["state"] == "online"  # and not a late will of the first
            assert again["boot_id"] != born["boot_id"]


async def test_killed_node_is_declared_gone(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, will_delay_s=0)
    async with controlling(broker) as side, node_process(settings, tmp_path) as process:
        born = await side.next("presence", online)
        process.kill()
        gone = await side.next("presence", offline)
        assert (gone["reason"], gone["boot_id"]) == ("connection_lost", born["boot_id"])


async def test_short_absence_raises_no_alarm(broker: RunningBroker, tmp_path: Path) -> None:
    endpoint = await broker.add_device(DEVICE)
    settings = settings_for(endpoint, tmp_path)
    async with controlling(broker) as side, node(settings):
        await side.next("presence", online)
        thief = Session(endpoint, client_id=DEVICE)  # takes the connection over
        await thief.connect()
        await thief.close(keep_will=True)
        await side.next("presence", online)
        assert all(
            message["state"] == "online" for received, message in side.seen if "presence" in received.topic
        )


async def test_unacknowledged_reply_comes_again_after_a_reconnect(
    broker: RunningBroker, tmp_path: Path
) -> None:
    endpoint = await broker.add_device(DEVICE)
    async with node(settings_for(endpoint, tmp_path)), controlling(broker) as side:
        await side.next("presence", online)
        kept, acked = a_command(), a_command()
        first = await side.ask(kept)
        await side.ask(acked)
        await side.ack(acked["id"])
        await side.still_answers()  # so the Ack has been taken in
        before = side.replies_to(acked["id"])

        await cut_off(endpoint)

        assert await side.final(kept["id"]) == first
        await side.still_answers()
        assert side.replies_to(acked["id"]) == before


async def test_unacknowledged_reply_comes_again_after_a_restart(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    command = a_command()
    async with controlling(broker) as side:
        async with node(settings):
            await side.next("presence", online)
            first = await side.ask(command)
        async with node(settings):
            await side.next("presence", online)
            assert await side.final(command["id"]) == first
            await side.ack(command["id"])
            await side.still_answers()
        before = side.replies_to(command["id"])
        async with node(settings):
            await side.still_answers()
        assert side.replies_to(command["id"]) == before


async def test_command_sent_while_the_node_was_away_waits_for_it(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side:
        async with node(settings):
            await side.next("presence", online)
        command = a_command()
        await side.send(Kind.COMMAND, command, expiry_s=60)
        async with node(settings):
            assert (await side.final(command["id"]))["status"] == "succeeded"


async def test_retained_command_from_before_is_never_run(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    command = a_command()
    async with controlling(broker) as side:
        await side.send(Kind.COMMAND, command, retain=True)
        async with node(settings):
            await side.next("presence", online)
            await side.still_answers()
        assert side.replies_to(command["id"]) == []


async def test_command_under_way_when_the_node_died_is_interrupted(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    mark = tmp_path / "allowed" / "mark"
    command = a_command("run_command", arguments={"command": f"sh -c 'echo x >> {mark}; sleep 3'"})
    async with controlling(broker) as side:
        async with node_process(settings, tmp_path) as process:
            await side.next("presence", online)
            await side.send(Kind.COMMAND, command)
            await appears(mark)
            process.kill()
            await process.wait()
        async with node(settings):
            reply = await side.final(command["id"])
            assert (reply["status"], reply["error"]["code"]) == ("interrupted", "interrupted")
            assert await side.ask({**command, "attempt": 2}) == reply
    assert mark.read_text() == "x\n"


async def test_stop_ends_what_runs_within_five_seconds(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    command = a_command("run_command", arguments={"command": "sleep 60"})
    async with controlling(broker) as side:
        async with node(settings):
            await side.next("presence", online)
            await side.send(Kind.COMMAND, command)
            await side.next("reply/", lambda reply: reply["status"] == "accepted")
            began = time.monotonic()
        assert time.monotonic() - began < 5
        reply = await side.final(command["id"])
        assert (reply["status"], reply["error"]["code"]) == ("interrupted", "interrupted")


async def test_wrong_password_is_said_and_the_node_stays(
    broker: RunningBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await broker.add_device(DEVICE)
    said = asyncio.Event()

    class Waiting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "does not let" in record.getMessage():
                said.set()

    handler = Waiting()
    logging.getLogger("broker.session").addHandler(handler)
    try:
        async with node(settings_for(broker.endpoint(DEVICE, "wrong"), tmp_path)) as running:
            async with asyncio.timeout(5):
                await said.wait()
            assert not running.done()
    finally:
        logging.getLogger("broker.session").removeHandler(handler)
    assert "wrong" not in caplog.text


def str_bytes(message: Message) -> bytes:
    return json.dumps(message).encode()


async def appears(path: Path) -> None:
    def written() -> bool:
        return path.exists() and path.read_text() != ""

    async with asyncio.timeout(10):
        while not written():
            await asyncio.sleep(0.02)
