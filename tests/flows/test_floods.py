"""One device floods: the others work on, it is put out for a while, and a restart in between changes nothing."""

import asyncio
import uuid
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tests.broker.running import RunningBroker
from tests.flows.installation import Installation, installation, running_node
from tests.flows.pump import Pump, now

RATE = 20.0
PAUSE = 10.0  # seconds: longer than a controller takes to start on a busy machine
WITHIN = 20.0  # seconds


class Loud(Pump):
    """A pump that is out of its mind."""

    def flood(self) -> None:
        """Far more heartbeats than a device may send."""
        beat = '{"at": "%s", "seq": %d, "boot_id": "%s"}'
        for number in range(2_000):
            self.client.publish(f"{self.base}/heartbeat", beat % (now(), number, self.boot_id), 0)


class Talkative(Pump):
    """A pump that has much to tell."""

    def talk(self, count: int) -> set[str]:
        """Report events, and return their ids once the broker has them."""
        ids = [str(uuid.uuid4()) for _ in range(count)]
        event = '{"id": "%s", "type": "water_ran", "severity": "info", "data": {}, "at": "%s"}'
        sent = [self.client.publish(f"{self.base}/event", event % (each, now()), 1) for each in ids]
        for each in sent:
            each.wait_for_publish(WITHIN)
        return set(ids)

    def until_acked(self, ids: set[str]) -> None:
        deadline = monotonic() + WITHIN
        while not ids <= {one for ack in list(self.acks) for one in ack.get("events", ())}:
            assert monotonic() < deadline, "the controller did not acknowledge everything"
            sleep(0.02)


async def until_shut_out(orion: Installation, *, out: bool = True) -> dict[str, Any]:
    async with asyncio.timeout(WITHIN):
        while True:
            shown: dict[str, Any] = (await orion.http.get("devices/pump")).json()
            if (shown["suspended_until"] is not None) is out:
                return shown
            await asyncio.sleep(0.02)


async def until_connected(device: Pump, *, connected: bool) -> None:
    async with asyncio.timeout(WITHIN):
        while device.client.is_connected() is not connected:
            await asyncio.sleep(0.02)


async def ran(orion: Installation, device_id: str, tool: str, **arguments: Any) -> dict[str, Any]:
    body = {"device_id": device_id, "tool": tool, "arguments": arguments}
    answer = await orion.http.post("commands", json=body, headers={"Prefer": "wait=10"})
    command: dict[str, Any] = answer.json()
    return command


async def events_of(orion: Installation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await orion.http.get("events?device_id=pump&type=rate_limited")).json()[
        "items"
    ]
    return found


async def test_a_device_that_floods_is_put_out_and_an_admin_lets_it_in_again(
    broker: RunningBroker, tmp_path: Path
) -> None:
    async with (
        installation(broker, tmp_path, device_rate=RATE) as orion,
        running_node(orion, tmp_path / "laptop") as laptop,
    ):
        device = Loud((await orion.add_device("pump", adopt=True))["mqtt"])
        await asyncio.to_thread(device.start)
        await orion.until_online("pump")

        await asyncio.to_thread(device.flood)
        shown = await until_shut_out(orion)
        await until_connected(device, connected=False)

        assert shown["status"] == "offline"
        assert (await ran(orion, "laptop", "list_directory", path=str(laptop.folder)))[
            "status"
        ] == "succeeded"
        refused = await ran(orion, "pump", "water_garden", minutes=5)
        assert (refused["status"], refused["error"]["code"]) == ("expired", "rate_limited")
        doctor = (await orion.http.get("system/doctor")).json()
        assert doctor["devices"]["shut_out"] == {"pump": shown["suspended_until"]}
        (event,) = await events_of(orion)
        assert (event["severity"], event["resolved"]) == ("error", False)

        assert (await orion.http.post("devices/pump/resume")).json()["suspended_until"] is None
        await orion.until_online("pump")  # it tries again by itself, with the same password
        assert (await ran(orion, "pump", "water_garden", minutes=5))["status"] == "succeeded"
        assert (await events_of(orion))[0]["resolved"]
        assert (await orion.http.post("devices/pump/resume")).json()["code"] == "conflict"
        await asyncio.to_thread(device.stop)


async def test_a_controller_that_is_restarted_meanwhile_lets_it_in_on_time(
    broker: RunningBroker, tmp_path: Path
) -> None:
    async with installation(broker, tmp_path, device_rate=RATE, device_pause_s=PAUSE) as orion:
        device = Loud((await orion.add_device("pump", adopt=True))["mqtt"])
        await asyncio.to_thread(device.start)
        await orion.until_online("pump")
        await asyncio.to_thread(device.flood)
        until = (await until_shut_out(orion))["suspended_until"]
        await until_connected(device, connected=False)

    async with installation(broker, tmp_path, device_rate=RATE, device_pause_s=PAUSE) as orion:
        # the broker may hold an older word of it; the warden's correction follows
        await orion.until_status("pump", "offline")
        assert (await orion.http.get("devices/pump")).json()["suspended_until"] == until

        await until_shut_out(orion, out=False)
        assert now() >= until
        await orion.until_online("pump")
        assert (await ran(orion, "pump", "water_garden", minutes=5))["status"] == "succeeded"
    await asyncio.to_thread(device.stop)


async def test_what_a_device_said_while_the_controller_was_away_is_no_flood(
    broker: RunningBroker, tmp_path: Path
) -> None:
    """The broker kept it, and hands it over as fast as it is taken: that is no doing of the device's."""
    async with installation(broker, tmp_path) as orion:
        device = Talkative((await orion.add_device("pump", adopt=True))["mqtt"])
        await asyncio.to_thread(device.start)
        await orion.until_online("pump")
    ids = await asyncio.to_thread(device.talk, 3_000)

    async with installation(broker, tmp_path) as orion:
        await asyncio.to_thread(device.until_acked, ids)

        assert (await orion.http.get("devices/pump")).json()["suspended_until"] is None
        assert (await ran(orion, "pump", "water_garden", minutes=5))["status"] == "succeeded"
    await asyncio.to_thread(device.stop)
