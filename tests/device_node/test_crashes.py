"""A node that is killed at the worst moments, as by kill -9, and what its next life makes of it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device_node.journal import Journal
from device_node.settings import NodeSettings
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

RECEIVED = "device_node.journal:Journal.receive"
STARTED = "device_node.journal:Journal.start"
FINISHED = "device_node.journal:Journal.finish"
SENT = "device_node.spool:Spool.add"
ACKNOWLEDGED = "device_node.journal:Journal.acknowledge"


def marking(mark: Path, **changes: object) -> Message:
    """A command whose every run leaves a line in a file."""
    return a_command("run_command", arguments={"command": f"sh -c 'echo x >> {mark}'"}, **changes)


def runs(mark: Path) -> int:
    return len(mark.read_text().splitlines()) if mark.exists() else 0


async def born(side: ControllerSide) -> None:
    await side.next("presence", lambda presence: presence["state"] == "online")


async def killed_once_received(
    side: ControllerSide, settings: NodeSettings, folder: Path, command: Message
) -> None:
    """A life that wrote the command down and acknowledged it, and did not begin it."""
    async with node_process(settings, folder, dies=f"after {RECEIVED}") as process:
        await born(side)
        await side.send(Kind.COMMAND, command)
        async with asyncio.timeout(10):
            assert await process.wait() == -9
    await forgotten(settings.endpoint)


@pytest.mark.parametrize(
    ("where", "effects", "status"),
    [
        (f"before {RECEIVED}", 1, "succeeded"),  # it comes again, and is new
        (f"after {RECEIVED}", 1, "succeeded"),
        (f"before {STARTED}", 1, "succeeded"),
        (f"after {STARTED}", 0, "interrupted"),
        (f"before {FINISHED}", 1, "interrupted"),
        (f"after {FINISHED}", 1, "succeeded"),
        (f"before {SENT}", 1, "succeeded"),
        (f"after {SENT}", 1, "succeeded"),
        (f"before {ACKNOWLEDGED}", 1, "succeeded"),
        (f"after {ACKNOWLEDGED}", 1, "succeeded"),
    ],
)
async def test_killed_at_any_step_it_runs_at_most_once_and_has_one_outcome(
    broker: RunningBroker, tmp_path: Path, where: str, effects: int, status: str
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    mark = tmp_path / "allowed" / "mark"
    command = marking(mark)
    async with controlling(broker) as side:
        async with node_process(settings, tmp_path, dies=where) as process:
            await born(side)
            await side.send(Kind.COMMAND, command)
            if "acknowledge" in where:
                await side.final(command["id"])
                await side.ack(command["id"])
            async with asyncio.timeout(10):
                assert await process.wait() == -9
        async with node(settings):
            await born(side)
            await side.send(Kind.COMMAND, {**command, "attempt": 2})
            assert (await side.final(command["id"]))["status"] == status
            await side.still_answers()
        finals = set(side.replies_to(command["id"])) - {"accepted"}
    assert finals == {status}
    assert await asyncio.to_thread(runs, mark) == effects


@pytest.mark.parametrize("cancelled", [True, False])
async def test_what_waited_runs_when_it_comes_again_unless_it_was_cancelled(
    broker: RunningBroker, tmp_path: Path, *, cancelled: bool
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, max_running=1)
    mark = tmp_path / "allowed" / "mark"
    waiting = marking(mark)
    began = tmp_path / "allowed" / "began"
    slow = a_command("run_command", arguments={"command": f"sh -c 'touch {began}; sleep 30'"})
    async with controlling(broker) as side:
        async with node_process(settings, tmp_path) as process:
            await born(side)
            await side.send(Kind.COMMAND, slow)
            await side.send(Kind.COMMAND, waiting)
            if cancelled:
                await side.send(Kind.CANCEL, a_cancel(waiting["id"]))
            await side.send(Kind.COMMAND, {**slow, "attempt": 2})  # is answered once the others are taken in
            for _ in range(2):
                await side.next("reply/", lambda reply: reply["command_id"] == slow["id"])
            async with asyncio.timeout(10):
                while not await asyncio.to_thread(began.exists):
                    await asyncio.sleep(0.02)
            process.kill()
            await process.wait()
        async with node(settings):
            await born(side)
            assert (await side.final(slow["id"]))["status"] == "interrupted"
            assert await asyncio.to_thread(runs, mark) == 0  # nothing runs by itself
            await side.send(Kind.COMMAND, {**waiting, "attempt": 2})
            wanted = "cancelled" if cancelled else "succeeded"
            assert (await side.final(waiting["id"]))["status"] == wanted
    assert await asyncio.to_thread(runs, mark) == (0 if cancelled else 1)


@pytest.mark.parametrize(
    "second",
    [
        {"arguments": {"command": "sh -c 'echo x >> {other}'"}},
        {"tool": "create_directory", "arguments": {"path": "{other}"}},
        {"tool": "no_such_tool"},
        {"arguments": "not an object"},
        {"dry_run": True},
    ],
)
async def test_what_was_received_before_the_kill_runs_as_it_first_came(
    broker: RunningBroker, tmp_path: Path, second: Message
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    mark, other = tmp_path / "allowed" / "mark", tmp_path / "allowed" / "other"
    changes = json.loads(json.dumps(second).replace("{other}", str(other)))
    command = marking(mark)
    async with controlling(broker) as side:
        await killed_once_received(side, settings, tmp_path, command)
        async with node(settings):
            await born(side)
            await side.send(Kind.COMMAND, {**command, **changes, "attempt": 2})
            assert (await side.final(command["id"]))["status"] == "succeeded"
    assert await asyncio.to_thread(runs, mark) == 1
    assert not other.exists()


async def test_what_was_received_before_the_kill_does_not_outlive_its_own_expiry(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    mark = tmp_path / "allowed" / "mark"
    now = datetime.now(UTC)
    command = marking(mark, expires_at=format_instant(now - timedelta(seconds=1)))
    async with controlling(broker) as side:
        await killed_once_received(side, settings, tmp_path, command)
        async with node(settings):
            await born(side)
            prolonged = format_instant(now + timedelta(seconds=60))
            await side.send(Kind.COMMAND, {**command, "expires_at": prolonged, "attempt": 2})
            assert (await side.final(command["id"]))["status"] == "expired"
    assert await asyncio.to_thread(runs, mark) == 0


async def test_what_was_malformed_when_it_first_came_stays_so(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    mark = tmp_path / "allowed" / "mark"
    command = marking(mark)
    async with controlling(broker) as side:
        await killed_once_received(side, settings, tmp_path, {**command, "arguments": "not an object"})
        async with node(settings):
            await born(side)
            await side.send(Kind.COMMAND, {**command, "attempt": 2})
            reply = await side.final(command["id"])
            assert (reply["status"], reply["error"]["code"]) == ("rejected", "invalid_arguments")
    assert await asyncio.to_thread(runs, mark) == 0


async def killed_once_started(
    side: ControllerSide, settings: NodeSettings, tmp_path: Path, command: Message
) -> None:
    """A life that ends when a tool which may be resumed has started."""
    async with node_process(settings, tmp_path, dies=f"after {STARTED}", resumable="system_info") as process:
        await born(side)
        await side.send(Kind.COMMAND, command)
        await process.wait()


async def test_tool_that_may_be_resumed_runs_again_but_not_for_ever(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    command = a_command("system_info")
    async with controlling(broker) as side:
        for life in range(3):  # it dies each time
            async with node_process(
                settings, tmp_path, dies=f"after {STARTED}", resumable="system_info"
            ) as process:
                if life == 0:
                    await born(side)
                    await side.send(Kind.COMMAND, command)
                async with asyncio.timeout(10):
                    assert await process.wait() == -9
        journal = Journal(settings.directory / "journal.db")
        await journal.open()
        (entry,) = await journal.interrupted()
        await journal.close()
        assert entry.runs == 3
        async with node_process(settings, tmp_path, resumable="system_info"):
            assert (await side.final(command["id"]))["status"] == "interrupted"


async def test_tool_that_may_be_resumed_succeeds_in_the_next_life(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    command = a_command("system_info")
    async with controlling(broker) as side:
        await killed_once_started(side, settings, tmp_path, command)
        async with node_process(settings, tmp_path, resumable="system_info"):
            assert (await side.final(command["id"]))["status"] == "succeeded"
            # a reply is told again until it is acknowledged
            assert set(side.replies_to(command["id"])) == {"succeeded"}


async def test_what_ran_and_may_not_run_any_more_is_not_told_as_never_run(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    command = a_command("system_info")
    async with controlling(broker) as side:
        await killed_once_started(side, settings, tmp_path, command)
        rules = await asyncio.to_thread(settings.policy_path.read_text)
        await asyncio.to_thread(settings.policy_path.write_text, f'denied_tools = ["system_info"]\n{rules}')
        async with node_process(settings, tmp_path, resumable="system_info"):
            reply = await side.final(command["id"])
    assert reply["status"] == "interrupted"
    assert "not resumed" in reply["error"]["message"]


async def test_event_that_was_reported_arrives_whatever_dies(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side:
        async with node_process(
            settings, tmp_path, reports=3, dies="after device_node.events:Events.report"
        ) as process:
            async with asyncio.timeout(10):
                assert await process.wait() == -9
        async with node(settings):
            event = await side.next("event")
            assert (event["type"], event["data"]) == ("test", {"number": 0})
            await side.send(Kind.ACK, {"at": event["at"], "events": [event["id"]]})
            await side.still_answers()
        before = len(side.seen)
        async with node(settings):
            await side.still_answers()
        assert not [one for one, _ in side.seen[before:] if one.topic.endswith("/event")]
