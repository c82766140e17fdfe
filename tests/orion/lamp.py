"""A third party's device with one tool, played in a thread: it answers when its test lets it."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import aiomqtt

from schemas.ids import new_id
from tests.orion.installation import READY_WITHIN, Installation, until

LIGHT = {
    "name": "light",
    "description": "Turns the lamp on or off.",
    "risk": "low",
    "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]},
}
Answer = dict[str, Any]


def lit(command: dict[str, Any]) -> Answer:
    """What a lamp that works answers."""
    return {"status": "succeeded", "result": {"on": command["arguments"]["on"]}}


class Lamp:
    """One lamp. Each command is accepted, is at 30 %, and ends once `may_end` is set."""

    def __init__(self, mqtt: dict[str, Any], answer: Callable[[dict[str, Any]], Answer] = lit) -> None:
        self._mqtt = mqtt
        self._answer = answer
        self._boot_id = new_id()
        self.may_end = threading.Event()
        self.took: list[str] = []  # command ids, as they came

    async def live(self, stop: asyncio.Event) -> None:
        """Be online until `stop`."""
        mqtt = self._mqtt
        topic = f"{mqtt['prefix']}/devices/{mqtt['username']}"
        async with (
            aiomqtt.Client(
                mqtt["host"],
                mqtt["port"],
                username=mqtt["username"],
                password=mqtt["password"],
                identifier=mqtt["client_id"],
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            await client.subscribe(f"{topic}/command", qos=1)
            profile = {
                "device_id": mqtt["username"],
                "boot_id": self._boot_id,
                "at": _now(),
                "tools": [LIGHT],
            }
            await client.publish(f"{topic}/profile", json.dumps(profile), qos=1, retain=True)
            await self._say_presence(client, topic, "online")
            listening = group.create_task(self._listen(client, group))
            await stop.wait()
            listening.cancel()
            await self._say_presence(client, topic, "offline")

    async def _say_presence(self, client: aiomqtt.Client, topic: str, state: str) -> None:
        presence = {"state": state, "boot_id": self._boot_id, "at": _now()}
        await client.publish(f"{topic}/presence", json.dumps(presence), qos=1, retain=True)

    async def _listen(self, client: aiomqtt.Client, group: asyncio.TaskGroup) -> None:
        async for message in client.messages:
            command = json.loads(message.payload if isinstance(message.payload, bytes) else b"")
            if command["id"] not in self.took:
                self.took.append(command["id"])
                group.create_task(self._obey(client, command))

    async def _obey(self, client: aiomqtt.Client, command: dict[str, Any]) -> None:
        async def say(**reply: Any) -> None:
            whole = {"command_id": command["id"], "at": _now(), "boot_id": self._boot_id} | reply
            await client.publish(command["reply_to"], json.dumps(whole), qos=1)

        await say(status="accepted")
        await say(status="progress", progress=0.3)
        while not self.may_end.is_set():
            await asyncio.sleep(0.01)
        await say(**self._answer(command))


@contextmanager
def lit_up(installation: Installation, *lamps: Lamp) -> Iterator[None]:
    """These lamps are online inside the block."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def live() -> None:
        async with asyncio.TaskGroup() as group:
            for lamp in lamps:
                group.create_task(lamp.live(stop))

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),))
    thread.start()
    try:
        names = {lamp._mqtt["username"] for lamp in lamps}
        until(lambda: names <= _online(installation))
        yield
    finally:
        for lamp in lamps:
            lamp.may_end.set()
        loop.call_soon_threadsafe(stop.set)
        thread.join(READY_WITHIN)
        loop.close()


@contextmanager
def a_place(installation: Installation, device_id: str, *options: str) -> Iterator[dict[str, Any]]:
    """A place for a lamp; how it connects."""
    made = installation.data("devices", "add", device_id, "--adopt", *options)
    try:
        yield made["mqtt"]
    finally:
        installation.data("devices", "remove", device_id)


def _online(installation: Installation) -> set[str]:
    listed = installation.data("devices", "list")["items"]
    return {each["device_id"] for each in listed if each["status"] == "online"}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
