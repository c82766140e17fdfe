"""A node whose journal or folder cannot be used says so once, and when it is over."""

import asyncio
import os
from pathlib import Path

import pytest

from device_node import app
from device_node.journal import JournalInUse
from tests.broker.running import RunningBroker
from tests.device_node.harness import DEVICE, a_command, controlling, node, settings_for
from tests.device_node.trouble.breakage import beats_on, damage, folder_instead, journal_of, making, told


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


async def test_file_in_the_place_of_the_nodes_folder_is_told(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    settings.directory.parent.mkdir(parents=True)
    settings.directory.write_text("a file")
    async with controlling(broker) as side, node(settings):
        await told(side, "journal_unusable")
        assert (await side.ask(a_command()))["status"] == "rejected"


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
