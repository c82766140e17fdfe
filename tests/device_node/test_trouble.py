"""A node whose journal cannot be used: it says so, refuses what it could not write down, and lives on."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.session import Session
from device_node import app, mending, replies
from device_node.journal import JournalInUse
from device_node.settings import NodeSettings
from schemas.topics import Kind
from tests.broker.running import RunningBroker
from tests.conformance.wiretap import Wiretap
from tests.device_node.harness import (
    DEVICE,
    ControllerSide,
    Message,
    a_command,
    controlling,
    cut_off,
    node,
    settings_for,
)
from tests.device_node.journal.disk import Disk, small_disk
from tests.device_node.process import node_process


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look sooner whether the trouble is over."""
    monkeypatch.setattr(mending, "RETRY_EVERY", 0.2)
    monkeypatch.setattr(replies, "FIRST_RETRY", 0.05)
    monkeypatch.setattr(replies, "LONGEST_RETRY", 0.2)


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[Disk]:
    async with small_disk(tmp_path / "disk") as mounted:
        yield mounted


def journal_of(settings: NodeSettings) -> Path:
    path = settings.directory / "journal.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def damage(settings: NodeSettings) -> Path:
    path = journal_of(settings)
    path.write_bytes(b"this was a journal once " * 500)
    return path


def folder_instead(settings: NodeSettings) -> Path:
    path = journal_of(settings)
    path.mkdir()
    return path


def making(folder: Path, name: str, **changes: object) -> Message:
    return a_command("create_directory", arguments={"path": str(folder / name)}, **changes)


async def told(side: ControllerSide, code: str) -> Message:
    return await side.next(
        "event", lambda event: event["type"] == "error_occurred" and event["data"]["code"] == code
    )


async def beats_on(side: ControllerSide) -> None:
    first = await side.next("heartbeat")
    await side.next("heartbeat", lambda beat: beat["seq"] > first["seq"] + 1)


@pytest.mark.parametrize("spoil", [damage, folder_instead])
async def test_unusable_journal_is_told_and_commands_are_refused(
    broker: RunningBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: type[object]
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, heartbeat_s=0.05)
    path = await asyncio.to_thread(spoil, settings)
    allowed = tmp_path / "allowed"
    async with controlling(broker) as side, node(settings):
        assert (await side.next("presence"))["state"] == "online"
        event = await told(side, "journal_unusable")
        assert str(path) in event["data"]["message"]

        fresh = making(allowed, "never")
        refused = await side.ask(fresh)
        assert (refused["status"], refused["error"]["code"]) == ("rejected", "internal")
        assert str(path) in refused["error"]["message"]
        assert await side.ask({**fresh, "attempt": 2}) == refused  # one answer, whatever it is asked again

        repeated = await side.ask(making(allowed, "perhaps", attempt=2))
        assert (repeated["status"], repeated["error"]["code"]) == ("interrupted", "interrupted")
        await beats_on(side)
    assert await asyncio.to_thread(os.listdir, allowed) == []
    assert [record.levelname for record in caplog.records if str(path) in record.getMessage()] == ["ERROR"]


async def test_refusal_leaves_after_the_acknowledgement_of_its_command(
    broker: RunningBroker, tmp_path: Path
) -> None:
    """A broker that has seen the refusal cannot deliver the command again once the journal is mended."""
    endpoint = await broker.add_device(DEVICE)
    wire = await asyncio.to_thread(Wiretap, endpoint.port)
    settings = settings_for(replace(endpoint, port=wire.port), tmp_path)
    await asyncio.to_thread(folder_instead, settings)
    async with controlling(broker) as side, node(settings):
        await side.next("presence")
        command = a_command()
        await side.ask(command)
        from_node = [packet for packet in wire.packets() if packet.from_client]
    await asyncio.to_thread(wire.close)
    (reply,) = [
        number for number, packet in enumerate(from_node) if packet.kind == 3 and b'"rejected"' in packet.body
    ]
    assert 4 in [packet.kind for packet in from_node[:reply]]  # the PUBACK


async def test_command_delivered_a_second_time_is_not_known_to_be_new(
    broker: RunningBroker, tmp_path: Path
) -> None:
    """The flag of a repeated delivery counts as much as the controller's own count."""
    endpoint = await broker.add_device(DEVICE)
    settings = settings_for(endpoint, tmp_path)
    async with controlling(broker) as side:
        async with node(settings):
            await side.next("presence")
        first = Session(endpoint, client_id=DEVICE)  # takes the message and does not acknowledge it
        await first.connect()
        command = making(tmp_path / "allowed", "perhaps")
        await side.send(Kind.COMMAND, command)
        (message,) = await first.receive(1)
        assert not message.dup
        await first.close(keep_will=True)

        await asyncio.to_thread(journal_of(settings).unlink)
        await asyncio.to_thread(folder_instead, settings)
        async with node(settings):
            assert (await side.final(command["id"]))["status"] == "interrupted"


async def test_refused_command_stays_refused_when_the_journal_is_mended(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    path = await asyncio.to_thread(folder_instead, settings)
    command = making(tmp_path / "allowed", "never")
    async with controlling(broker) as side:
        async with node(settings):
            event = await told(side, "journal_unusable")
            refused = await side.ask(command)
            await asyncio.to_thread(path.rmdir)
            resolved = await side.next("event")
            assert resolved["resolves"] == event["id"]
            await side.still_answers()
            assert await side.ask(command) == refused
        async with node(settings):  # also in its next life
            assert await side.ask(command) == refused
    assert not (tmp_path / "allowed" / "never").exists()


async def test_refusal_is_said_again_at_every_connect_until_its_ack(
    broker: RunningBroker, tmp_path: Path
) -> None:
    endpoint = await broker.add_device(DEVICE)
    settings = settings_for(endpoint, tmp_path)
    await asyncio.to_thread(folder_instead, settings)
    async with controlling(broker) as side, node(settings):
        await side.next("presence")
        kept, acked = a_command(), a_command()
        refused = await side.ask(kept)
        await side.ask(acked)
        await side.ack(acked["id"])
        await side.ask(a_command())  # so the Ack has been taken in
        before = side.replies_to(acked["id"])

        await cut_off(endpoint)

        assert await side.final(kept["id"]) == refused
        await side.ask(a_command())
        assert side.replies_to(acked["id"]) == before


async def test_refusal_without_an_ack_is_said_again_by_later_lives(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    path = await asyncio.to_thread(folder_instead, settings)
    command = a_command()
    async with controlling(broker) as side:
        async with node(settings):
            await side.next("presence")
            assert (await side.ask(command))["status"] == "rejected"
        async with node(settings):  # from the room that was taken before
            assert (await side.final(command["id"]))["status"] == "rejected"
            await asyncio.to_thread(path.rmdir)
            await side.next("event", lambda event: "resolves" in event)
        async with node(settings):  # from the journal, which has it now
            assert (await side.final(command["id"]))["status"] == "rejected"
            await side.ack(command["id"])
            await side.still_answers()
        before = side.replies_to(command["id"])
        async with node(settings):
            await side.still_answers()
        assert side.replies_to(command["id"]) == before


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


async def test_file_in_the_place_of_the_nodes_folder_is_told(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    settings.directory.parent.mkdir(parents=True)
    settings.directory.write_text("a file")
    async with controlling(broker) as side, node(settings):
        await told(side, "journal_unusable")
        assert (await side.ask(a_command()))["status"] == "rejected"


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


async def test_trouble_that_was_mended_while_the_node_was_stopped_is_said_to_be_over(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    path = await asyncio.to_thread(damage, settings)
    async with controlling(broker) as side:
        async with node(settings):
            event = await told(side, "journal_unusable")
        await asyncio.to_thread(path.unlink)
        async with node(settings):
            over = await side.next("event", lambda event: event.get("resolves") is not None)
            assert over["resolves"] == event["id"]
        assert not path.with_name("trouble").exists()


async def test_second_node_of_a_device_tells_once_that_it_does_not_start(
    broker: RunningBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node(settings):
        await side.next("presence")
        with pytest.raises(JournalInUse):
            await app.run(settings, asyncio.Event())
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("journal_too", [False, True])
async def test_spoilt_file_of_refusals_is_told_once(
    broker: RunningBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, journal_too: bool
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    path = journal_of(settings).with_name("refused")
    await asyncio.to_thread(path.write_bytes, b"this was a list once " * 500)
    if journal_too:
        await asyncio.to_thread(damage, settings)
    async with controlling(broker) as side:
        async with node(settings):
            event = await told(side, "refusals_unreadable")
            assert str(path) in event["data"]["message"]
        async with node(settings):
            await side.next("presence", lambda presence: presence["state"] == "online")
    (record,) = [one for one in caplog.records if str(path) in one.getMessage()]
    assert record.levelname == "WARNING"
