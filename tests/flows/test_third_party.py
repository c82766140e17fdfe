"""A device that knows nothing but paho-mqtt and the wire contract is a full member."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.flows.installation import Installation
from tests.flows.pump import Pump


@pytest.fixture
async def pump(orion: Installation) -> AsyncIterator[Pump]:
    """A pump with a place, adopted by its first profile, online."""
    added = await orion.add_device("pump", name="Tuinpomp", allowed_paths=["/data"], adopt=True)
    device = Pump(added["mqtt"])
    await asyncio.to_thread(device.start)
    await orion.until_online("pump")
    yield device
    await asyncio.to_thread(device.stop)


async def test_a_sentence_reaches_it_and_its_answer_comes_back(orion: Installation, pump: Pump) -> None:
    responses, report = await orion.ask("Maak een map Metingen op de tuinpomp")

    assert report["outcome"] == "calls", report
    assert report["calls"][0]["status"] == "succeeded"
    assert [command["arguments"] for command in pump.ran] == [{"path": "/data/Metingen"}]
    assert [response["type"] for response in responses] == ["tool_call", "tool_result", "final"]
    assert [response["seq"] for response in responses] == [0, 1, 2]


async def test_its_final_reply_is_acknowledged(orion: Installation, pump: Pump) -> None:
    await orion.ask("create a folder Logs on tuinpomp")

    assert await asyncio.to_thread(pump.acked.wait, 5)
    assert pump.acks[0]["replies"] == [pump.ran[0]["id"]]


async def test_its_own_tool_runs_with_checked_arguments(orion: Installation, pump: Pump) -> None:
    async def run(arguments: dict[str, Any]) -> dict[str, Any]:
        wanted = {"device_id": "pump", "tool": "water_garden", "arguments": arguments}
        answer = await orion.http.post("commands", json=wanted, headers={"Prefer": "wait=10"})
        command: dict[str, Any] = answer.json()
        return command

    assert (await run({"minutes": 5}))["status"] == "succeeded"
    assert (await run({"minutes": 500}))["error"]["code"] == "invalid_arguments"
    assert [command["arguments"] for command in pump.ran] == [{"minutes": 5}]


async def test_until_it_is_adopted_nothing_is_sent(orion: Installation) -> None:
    added = await orion.add_device("pump", allowed_paths=["/data"])
    device = Pump(added["mqtt"])
    await asyncio.to_thread(device.start)
    await orion.until_online("pump")

    _, report = await orion.ask("Maak een map Metingen op pump")
    assert report["outcome"] == "refused"
    await orion.http.post("devices/pump/adopt", headers={"If-Match": "*"})
    _, report = await orion.ask("Maak een map Metingen op pump")

    assert report["outcome"] == "calls"
    assert len(device.ran) == 1
    await asyncio.to_thread(device.stop)


async def test_a_removed_device_is_shut_out(orion: Installation, pump: Pump) -> None:
    await orion.http.delete("devices/pump", headers={"If-Match": "*"})

    async with asyncio.timeout(5):
        while pump.client.is_connected():
            await asyncio.sleep(0.02)
    assert (await orion.http.get("devices/pump")).json()["code"] == "unknown_device"


async def test_a_name_that_the_broker_gave_to_somebody_else_leaves_no_place_behind(
    orion: Installation,
) -> None:
    await asyncio.to_thread(orion.broker.identities.add_device, "ghost")

    refused = await orion.http.post("devices", json={"device_id": "ghost"})

    assert (refused.status_code, refused.json()["code"]) == (409, "already_exists")
    assert (await orion.http.get("devices/ghost")).status_code == 404
    assert "ghost" in await asyncio.to_thread(orion.broker.identities.all)
