"""What is believed of a device is true: silent, back again, doubled."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.session import Endpoint
from controller import scheduler
from controller.mqtt import inbox
from controller.services.devices import silence
from device_node import app as node
from device_node.settings import NodeSettings
from tests.broker.running import RunningBroker
from tests.flows.installation import Installation, installation
from tests.flows.pump import Pump, now

WITHIN = 20.0  # seconds


class Beating(Pump):
    """A pump that sends a heartbeat when it is told to."""

    def __init__(self, mqtt_place: dict[str, Any]) -> None:
        super().__init__(mqtt_place)
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1
        heartbeat = {"at": now(), "seq": self.beats, "boot_id": self.boot_id}
        self.client.publish(f"{self.base}/heartbeat", json.dumps(heartbeat), 0, retain=True)


@pytest.fixture
async def quick(
    broker: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Installation]:
    """A controller that loses patience after a second."""
    monkeypatch.setattr(silence, "LEAST", 0.1)
    monkeypatch.setattr(scheduler, "SWEEP_EVERY", 0.1)
    monkeypatch.setattr(inbox, "FLUSH_EVERY", timedelta(seconds=0.05))
    async with installation(broker, tmp_path, heartbeat_s=0.3) as running:
        yield running


@pytest.fixture
async def pump(quick: Installation) -> AsyncIterator[Beating]:
    """A pump that is connected, adopted, and beats no more than once by itself."""
    added = await quick.add_device("pump", allowed_paths=["/data"], adopt=True)
    device = Beating(added["mqtt"])
    await asyncio.to_thread(device.start)
    await quick.until_online("pump")
    yield device
    await asyncio.to_thread(device.stop)


async def test_what_waits_for_a_silent_device_leaves_with_its_next_heartbeat(
    quick: Installation, pump: Beating
) -> None:
    pump.beat()
    await quick.until_status("pump", "stale")

    order = {"device_id": "pump", "tool": "water_garden", "arguments": {"minutes": 5}}
    refused = (await quick.http.post("commands", json=order)).json()
    assert (refused["status"], refused["error"]["code"]) == ("expired", "device_offline")
    assert "pump is stale: no sign of life for" in refused["error"]["message"]
    waiting = (await quick.http.post("commands", json=order | {"when_online": True})).json()
    assert (waiting["status"], pump.ran) == ("waiting", [])

    pump.beat()

    async with asyncio.timeout(WITHIN):
        while waiting["status"] != "succeeded":
            waiting = (await quick.http.get(f"commands/{waiting['command_id']}")).json()
            await asyncio.sleep(0.02)
    assert [command["id"] for command in pump.ran] == [waiting["command_id"]]


async def test_two_nodes_of_one_name_are_told_of(orion: Installation, tmp_path: Path) -> None:
    connection = (await orion.add_device("laptop", adopt=True))["mqtt"]
    stop = asyncio.Event()
    running: list[asyncio.Task[int]] = []
    for name in ("one", "other"):
        policy = tmp_path / f"{name}.toml"
        await asyncio.to_thread(policy.write_text, "allowed_paths = []\n")
        settings = NodeSettings(
            data_dir=tmp_path / name,
            device_id="laptop",
            endpoint=Endpoint(connection["host"], connection["port"], "laptop", connection["password"]),
            policy_path=policy,
        )
        running.append(asyncio.create_task(node.run(settings, stop), name=name))

    found: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(WITHIN):
            while not found:
                await asyncio.sleep(0.02)
                asked = "events?device_id=laptop&type=identity_conflict&unresolved=true"
                found = (await orion.http.get(asked)).json()["items"]
    finally:
        stop.set()
        await asyncio.gather(*running)

    assert [event["severity"] for event in found] == ["critical"]
    assert len(found[0]["data"]["boot_ids"]) == 2
    assert (await orion.http.get("system/doctor")).json()["devices"]["conflicting"] == ["laptop"]
