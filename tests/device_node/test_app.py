"""The node as a whole: what it can do with itself, and how it ends."""

import asyncio
from pathlib import Path

import pytest

from broker.session import Endpoint
from device_node import app
from device_node.journal import JournalInUse
from device_node.safety.policy import PolicyError
from schemas.topics import Kind
from tests.broker.running import RunningBroker
from tests.device_node.harness import DEVICE, a_command, a_policy, controlling, node, settings_for
from tests.ports import free_port


async def test_restart_is_answered_first_and_asks_the_launcher(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node(settings) as running:
        await side.next("presence")
        reply = await side.ask(a_command("restart_node"))
        assert reply["status"] == "succeeded"
        assert (await side.next("presence"))["reason"] == "stopped"
        async with asyncio.timeout(5):
            assert await running == app.RESTART


async def test_stop_is_exit_code_zero(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node(settings) as running:
        await side.next("presence")
    assert running.result() == 0


async def test_policy_is_read_again_and_told(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node(settings):
        before = await side.next("profile")
        assert "run_command" in {tool["name"] for tool in before["tools"]}
        a_policy(tmp_path / "allowed")
        await side.send(Kind.COMMAND, a_command("reload_config"))
        after = await side.next("profile")
        assert "run_command" not in {tool["name"] for tool in after["tools"]}
        refused = await side.ask(a_command("run_command", arguments={"command": "true"}))
        assert (refused["status"], refused["error"]["code"]) == ("rejected", "permission_denied")


async def test_wrong_policy_leaves_the_old_rules(broker: RunningBroker, tmp_path: Path) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node(settings):
        await side.next("presence")
        settings.policy_path.write_text("allowed_pats = ['/']\n")
        reply = await side.ask(a_command("reload_config"))
        assert (reply["status"], reply["error"]["code"]) == ("failed", "invalid_arguments")
        assert "allowed_pats" in reply["error"]["message"]
        assert (await side.ask(a_command("run_command", arguments={"command": "true"})))[
            "status"
        ] == "succeeded"


async def test_node_without_a_broker_stops_at_once(tmp_path: Path) -> None:
    settings = settings_for(Endpoint("127.0.0.1", free_port(), DEVICE, "x"), tmp_path)
    async with node(settings) as running:
        await asyncio.sleep(0)
    assert running.result() == 0


async def test_wrong_policy_prevents_the_start(tmp_path: Path) -> None:
    settings = settings_for(Endpoint("127.0.0.1", free_port(), DEVICE, "x"), tmp_path)
    settings.policy_path.write_text("nonsense = true\n")
    with pytest.raises(PolicyError, match="nonsense"):
        await app.run(settings, asyncio.Event())


async def test_nodes_own_data_is_closed_to_its_tools(broker: RunningBroker, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    settings = settings_for(await broker.add_device(DEVICE), tmp_path, data_dir=allowed / "data")
    async with controlling(broker) as side, node(settings):
        await side.next("presence")
        path = str(allowed / "data" / "node" / DEVICE / "journal.db")
        reply = await side.ask(a_command("read_file", arguments={"path": path}))
        assert (reply["status"], reply["error"]["code"]) == ("rejected", "path_not_allowed")


async def test_what_was_deleted_long_ago_leaves_the_trash_for_good(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    old = settings.directory / "trash" / "20200101T000000-old"
    await asyncio.to_thread(old.mkdir, parents=True)

    async with controlling(broker) as side, node(settings):
        await side.next("presence")
        async with asyncio.timeout(5):
            while await asyncio.to_thread(old.exists):
                await asyncio.sleep(0.02)


async def test_second_node_on_the_same_folder_does_not_start(
    broker: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device_node.journal.database.WAIT_FOR_LOCK", 0.1)
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    async with controlling(broker) as side, node(settings):
        await side.next("presence")
        with pytest.raises(JournalInUse, match="another program"):
            await app.run(settings, asyncio.Event())
        await side.still_answers()
