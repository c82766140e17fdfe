"""The way of a command on the device, seen from the controller's side of the wire."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.topics import Kind
from schemas.wire import MAX_PAYLOAD, format_instant
from tests.broker.running import RunningBroker
from tests.device_node.harness import (
    ControllerSide,
    Message,
    a_cancel,
    a_command,
    controlling,
    node,
    settings_for,
)


@pytest.fixture
async def controller(broker: RunningBroker, tmp_path: Path) -> AsyncIterator[ControllerSide]:
    """A controller with a running node that may do things in `tmp_path/allowed`."""
    endpoint = await broker.add_device("laptop")
    settings = settings_for(endpoint, tmp_path, max_running=2, max_waiting=3)
    async with controlling(broker) as side, node(settings):
        await side.next("presence", lambda presence: presence["state"] == "online")
        yield side


def a_slow_command(seconds: int = 30, **changes: object) -> Message:
    return a_command("run_command", arguments={"command": f"sleep {seconds}"}, **changes)


async def test_command_has_its_effect_and_one_final_reply(controller: ControllerSide, tmp_path: Path) -> None:
    reply = await controller.ask(
        a_command("create_directory", arguments={"path": str(tmp_path / "allowed" / "Test")})
    )

    assert reply["status"] == "succeeded"
    assert reply["result"]["created"] is True
    assert reply["duration_ms"] > 0
    assert (tmp_path / "allowed" / "Test").is_dir()


async def test_repeated_id_runs_once_and_is_answered_again(
    controller: ControllerSide, tmp_path: Path
) -> None:
    command = a_command("create_directory", arguments={"path": str(tmp_path / "allowed" / "Once")})
    first = await controller.ask(command)
    (tmp_path / "allowed" / "Once").rmdir()
    second = await controller.ask(
        {**command, "attempt": 2, "arguments": {"path": str(tmp_path / "allowed" / "Two")}}
    )

    assert second == first
    assert list((tmp_path / "allowed").iterdir()) == []


async def test_repeated_id_of_a_running_command_is_accepted(controller: ControllerSide) -> None:
    command = a_slow_command()
    await controller.send(Kind.COMMAND, command)
    await controller.next("reply/", lambda reply: reply["status"] == "accepted")
    await controller.send(Kind.COMMAND, {**command, "attempt": 2})
    again = await controller.next("reply/")
    assert (again["command_id"], again["status"]) == (command["id"], "accepted")
    await controller.send(Kind.CANCEL, a_cancel(command["id"]))
    assert (await controller.final(command["id"]))["status"] == "cancelled"


async def test_id_that_arrives_many_times_at_once_runs_once(
    controller: ControllerSide, tmp_path: Path
) -> None:
    mark = tmp_path / "allowed" / "mark"
    command = a_command("run_command", arguments={"command": f"sh -c 'echo x >> {mark}'"})
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(controller.send(Kind.COMMAND, command))
    assert (await controller.final(command["id"]))["status"] == "succeeded"
    await controller.still_answers()
    assert await asyncio.to_thread(mark.read_text) == "x\n"
    assert set(controller.replies_to(command["id"])) <= {"accepted", "succeeded"}


async def test_expired_command_does_nothing(controller: ControllerSide, tmp_path: Path) -> None:
    late = format_instant(datetime.now(UTC) - timedelta(seconds=1))
    path = tmp_path / "allowed" / "Late"
    reply = await controller.ask(
        a_command("create_directory", arguments={"path": str(path)}, expires_at=late)
    )

    assert (reply["status"], reply["error"]["code"]) == ("expired", "expired")
    assert not path.exists()


async def test_command_that_waits_past_its_expiry_does_nothing(
    controller: ControllerSide, tmp_path: Path
) -> None:
    slow = [a_slow_command(2) for _ in range(2)]
    for command in slow:
        await controller.send(Kind.COMMAND, command)
    waiting = a_command("create_directory", arguments={"path": str(tmp_path / "allowed" / "Late")})
    reply = await controller.ask(waiting, expiry_s=1)  # the broker's clock, though expires_at is a minute off

    assert reply["status"] == "expired"
    assert not (tmp_path / "allowed" / "Late").exists()


async def test_retained_command_is_refused(controller: ControllerSide) -> None:
    command = a_command()
    await controller.send(Kind.COMMAND, command, retain=True)
    await controller.still_answers()
    assert controller.replies_to(command["id"]) == []


async def test_cancel_before_the_command_prevents_it(controller: ControllerSide, tmp_path: Path) -> None:
    command = a_command("create_directory", arguments={"path": str(tmp_path / "allowed" / "Never")})
    await controller.send(Kind.CANCEL, a_cancel(command["id"]))
    reply = await controller.ask(command)

    assert (reply["status"], reply["error"]["code"]) == ("cancelled", "cancelled")
    assert not (tmp_path / "allowed" / "Never").exists()
    assert (await controller.ask(command))["status"] == "cancelled"


async def test_cancel_of_a_waiting_command_prevents_it(controller: ControllerSide, tmp_path: Path) -> None:
    slow = [a_slow_command() for _ in range(2)]
    for command in slow:
        await controller.send(Kind.COMMAND, command)
    waiting = a_command("create_directory", arguments={"path": str(tmp_path / "allowed" / "Never")})
    await controller.send(Kind.COMMAND, waiting)
    for command in (waiting, *slow):
        await controller.send(Kind.CANCEL, a_cancel(command["id"]))

    statuses = {
        (await controller.next("reply/", lambda reply: reply["status"] == "cancelled"))["command_id"]
        for _ in range(3)
    }
    assert statuses == {command["id"] for command in (waiting, *slow)}
    assert not (tmp_path / "allowed" / "Never").exists()


async def test_cancel_after_the_end_brings_the_final_reply_again(controller: ControllerSide) -> None:
    command = a_command()
    first = await controller.ask(command)
    await controller.send(Kind.CANCEL, a_cancel(command["id"]))
    assert await controller.final(command["id"]) == first


async def test_tool_that_takes_too_long_is_ended(controller: ControllerSide) -> None:
    reply = await controller.ask(a_slow_command(timeout_s=0.3))
    assert (reply["status"], reply["error"]["code"]) == ("failed", "timeout")
    assert reply["duration_ms"] < 4_000


async def test_long_command_says_accepted_first(controller: ControllerSide) -> None:
    command = a_slow_command(0)
    await controller.ask(command)
    assert controller.replies_to(command["id"]) == ["accepted", "succeeded"]


async def test_more_than_can_wait_is_busy(controller: ControllerSide) -> None:
    commands = [a_slow_command() for _ in range(8)]
    for command in commands:
        await controller.send(Kind.COMMAND, command)
    busy = [await controller.next("reply/", lambda reply: reply["status"] == "rejected") for _ in range(3)]
    assert {reply["error"]["code"] for reply in busy} == {"busy"}
    assert [reply["command_id"] for reply in busy] == [command["id"] for command in commands[5:]]


async def test_unknown_tool_is_rejected(controller: ControllerSide) -> None:
    reply = await controller.ask(a_command("make_coffee"))
    assert (reply["status"], reply["error"]["code"]) == ("rejected", "unknown_tool")


async def test_path_outside_is_rejected_by_the_device_itself(
    controller: ControllerSide, tmp_path: Path
) -> None:
    reply = await controller.ask(
        a_command("create_directory", arguments={"path": str(tmp_path / "elsewhere")})
    )
    assert (reply["status"], reply["error"]["code"]) == ("rejected", "path_not_allowed")
    assert not (tmp_path / "elsewhere").exists()


async def test_largest_result_travels(controller: ControllerSide, tmp_path: Path) -> None:
    path = tmp_path / "allowed" / "bytes.txt"
    path.write_bytes(b"\x01" * 131_072)  # six times as long in JSON
    reply = await controller.ask(a_command("read_file", arguments={"path": str(path), "max_bytes": 131_072}))
    assert reply["status"] == "succeeded"
    assert len(controller.seen[-1][0].payload) <= MAX_PAYLOAD


async def test_dry_run_changes_nothing(controller: ControllerSide, tmp_path: Path) -> None:
    path = tmp_path / "allowed" / "Dry"
    reply = await controller.ask(a_command("create_directory", arguments={"path": str(path)}, dry_run=True))
    assert reply["status"] == "succeeded"
    assert "would" in reply["result"]
    assert not path.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"arguments": ["no", "object"]},
        {"arguments": {"path": 7}, "tool": "create_directory"},
        {"arguments": {"unknown": True}},
        {"timeout_s": "soon"},
        {"tool": "NOT A NAME"},
        {"requested_by": None},
    ],
    ids=["list", "wrong type", "unknown argument", "timeout", "tool name", "nobody"],
)
async def test_command_that_does_not_fit_is_rejected(controller: ControllerSide, changes: Message) -> None:
    reply = await controller.ask(a_command(**changes))
    assert (reply["status"], reply["error"]["code"]) == ("rejected", "invalid_arguments")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not json",
        b"[]",
        b"\xff\xfe",
        b"{" * 5_000,
        json.dumps(a_command(id=7)).encode(),
        json.dumps(a_command(id="x" * 65)).encode(),
        json.dumps(a_command(expires_at="tomorrow")).encode(),
        json.dumps(a_command(reply_to=None)).encode(),
        json.dumps(a_command(reply_to="orion/v1/devices/other/reply/main")).encode(),
        json.dumps(a_command(reply_to="orion/v1/devices/laptop/command")).encode(),
        json.dumps(a_command(reply_to="orion/v1/devices/laptop/reply/a/b")).encode(),
        json.dumps(a_command(arguments={"text": "x" * 262_144})).encode(),
    ],
    ids=range(13),
)
async def test_what_is_no_command_is_dropped(controller: ControllerSide, payload: bytes) -> None:
    await controller.send(Kind.COMMAND, payload)
    await controller.send(Kind.CANCEL, payload)
    await controller.send(Kind.ACK, payload)
    await controller.still_answers()
    replies = [received.topic for received, _ in controller.seen if "/reply/" in received.topic]
    assert len(replies) == 1


async def test_unknown_fields_are_ignored(controller: ControllerSide) -> None:
    assert (await controller.ask(a_command(tomorrow={"new": [1]})))["status"] == "succeeded"


async def test_any_controller_instance_is_answered_on_its_own_topic(controller: ControllerSide) -> None:
    command = a_command(reply_to="orion/v1/devices/laptop/reply/other-1")
    await controller.ask(command)
    assert controller.seen[-1][0].topic == "orion/v1/devices/laptop/reply/other-1"


async def test_commands_at_once_are_all_answered(controller: ControllerSide) -> None:
    commands = [a_command("disk_usage") for _ in range(3)]
    await asyncio.gather(*(controller.send(Kind.COMMAND, command) for command in commands))
    answered = {(await controller.next("reply/"))["command_id"] for _ in commands}
    assert answered == {command["id"] for command in commands}
