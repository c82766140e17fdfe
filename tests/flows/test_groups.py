"""One order to five devices on a real broker, none of them ours."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.broker.running import RunningBroker
from tests.flows.installation import Installation, installation
from tests.flows.pump import Pump

PUMPS = [f"pump-{number}" for number in range(1, 6)]


class Stubborn(Pump):
    """A pump that says what it was told to say, when it was told to."""

    status = "succeeded"
    silent = False

    def reply(self, command: dict[str, Any], status: str, **more: Any) -> None:
        if self.status != status:
            more = {"error": {"code": "internal", "message": "The hose is off."}}
        if not self.silent:
            super().reply(command, self.status, **more)


async def planted(orion: Installation) -> dict[str, Stubborn]:
    """Five pumps of one group, adopted and online."""
    pumps: dict[str, Stubborn] = {}
    for device_id in PUMPS:
        place = {"groups": ["garden"], "allowed_paths": ["/data"], "adopt": True}
        added = await orion.add_device(device_id, **place)
        pumps[device_id] = Stubborn(added["mqtt"])
        await asyncio.to_thread(pumps[device_id].start)
    for device_id in PUMPS:
        await orion.until_online(device_id)
    return pumps


@pytest.fixture
async def garden(orion: Installation) -> AsyncIterator[dict[str, Stubborn]]:
    """Five pumps that are there for the whole test."""
    pumps = await planted(orion)
    yield pumps
    for pump in pumps.values():
        await asyncio.to_thread(pump.stop)


async def order(orion: Installation, *, wait: int = 20, **limits: Any) -> dict[str, Any]:
    wanted = {"group": "garden", "tool": "water_garden", "arguments": {"minutes": 5}, **limits}
    answer = await orion.http.post("commands", json=wanted, headers={"Prefer": f"wait={wait}"})
    assert answer.status_code == 202, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def statuses(orion: Installation, parent: dict[str, Any]) -> list[str]:
    answer = await orion.http.get("commands", params={"parent_id": parent["command_id"]})
    return [each["status"] for each in sorted(answer.json()["items"], key=lambda each: each["device_id"])]


async def until(orion: Installation, parent: dict[str, Any], wanted: list[str]) -> None:
    async with asyncio.timeout(10):
        while await statuses(orion, parent) != wanted:
            await asyncio.sleep(0.02)


async def test_every_device_runs_it_once(orion: Installation, garden: dict[str, Stubborn]) -> None:
    parent = await order(orion)

    assert (parent["status"], parent["progress"]) == ("succeeded", 1)
    assert parent["rollout"]["succeeded"] == 5
    assert [len(pump.ran) for pump in garden.values()] == [1] * 5


async def test_one_after_the_other_if_so_wanted(orion: Installation, garden: dict[str, Stubborn]) -> None:
    for pump in garden.values():
        pump.silent = True
    parent = await order(orion, wait=0, max_in_flight=1)

    for number, pump in enumerate(garden.values()):
        async with asyncio.timeout(10):
            while not pump.commands:
                await asyncio.sleep(0.02)
        assert sum(bool(each.commands) for each in garden.values()) == number + 1
        pump.silent = False
        await asyncio.to_thread(pump.reply, pump.commands[0], "succeeded")

    await until(orion, parent, ["succeeded"] * 5)


async def test_it_stops_when_too_many_fail(orion: Installation, garden: dict[str, Stubborn]) -> None:
    for pump in garden.values():
        pump.status = "failed"

    parent = await order(orion, max_in_flight=1, stop_after=2)

    assert (parent["status"], parent["error"]["message"]) == ("failed", "2 of 5 failed, 3 not run.")
    assert await statuses(orion, parent) == ["failed", "failed", "cancelled", "cancelled", "cancelled"]
    assert sum(len(pump.ran) for pump in garden.values()) == 2


async def test_one_that_is_away_gets_it_when_it_is_back(
    orion: Installation, garden: dict[str, Stubborn]
) -> None:
    await asyncio.to_thread(garden["pump-3"].stop)
    async with asyncio.timeout(10):
        while (await orion.http.get("devices/pump-3")).json()["status"] != "offline":
            await asyncio.sleep(0.02)

    parent = await order(orion, when_online=True, valid_s=600)
    assert parent["status"] == "waiting"
    assert await statuses(orion, parent) == ["succeeded", "succeeded", "waiting", "succeeded", "succeeded"]

    garden["pump-3"] = Stubborn(garden["pump-3"].place)
    await asyncio.to_thread(garden["pump-3"].start)
    await until(orion, parent, ["succeeded"] * 5)
    ended = await orion.http.get(f"commands/{parent['command_id']}", headers={"Prefer": "wait=10"})
    assert ended.json()["status"] == "succeeded"


async def test_an_order_goes_on_where_it_stood_before_a_restart(
    broker: RunningBroker, tmp_path: Path
) -> None:
    async with installation(broker, tmp_path) as first:
        garden = await planted(first)
        for pump in garden.values():
            pump.silent = True
        parent = await order(first, wait=0, max_in_flight=2)
        async with asyncio.timeout(10):
            while not all(garden[name].commands for name in PUMPS[:2]):
                await asyncio.sleep(0.02)

    for pump in garden.values():
        pump.silent = False
    await asyncio.to_thread(garden["pump-1"].reply, garden["pump-1"].commands[0], "succeeded")

    async with installation(broker, tmp_path) as second:
        answer = await second.http.get(f"commands/{parent['command_id']}", headers={"Prefer": "wait=20"})
        assert answer.json()["status"] == "succeeded"
        assert [len(pump.ran) for pump in garden.values()] == [1] * 5
    for pump in garden.values():
        await asyncio.to_thread(pump.stop)
