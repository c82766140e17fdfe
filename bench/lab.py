"""A group of devices in one process: each is online, and says at once that it did what it was told.

No journal and no tool stands behind them: what is measured is the controller and the broker.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

from broker.session import Connected, Endpoint, Received, Session, Subscription, keep_connected
from schemas import builtin
from schemas.commands import Command, Reply, ReplyStatus
from schemas.devices import Presence, Profile
from schemas.topics import Kind, Topics

BOOT = "bench"
TOOLS = [builtin.TOOLS[name] for name in ("system_info", "disk_usage", "create_directory", "delete_path")]
AT_ONCE = 100  # births on their way


def device_ids(count: int) -> list[str]:
    """The devices of a lab."""
    return [f"lab-{number:04}" for number in range(count)]


async def play(wanted: dict[str, Any], endpoint: Endpoint, stop: asyncio.Event) -> None:
    """Be the devices that `wanted` describes until `stop`."""
    topics = Topics(wanted["prefix"])
    await keep_connected(
        lambda: Session(endpoint, client_id=endpoint.username or "", clean_start=True),
        lambda session, _connected: _serve(session, _connected, topics, device_ids(wanted["devices"])),
        stop=stop,
    )


async def _serve(session: Session, _connected: Connected, topics: Topics, devices: list[str]) -> None:
    await session.subscribe([Subscription(topics.every_device(Kind.COMMAND))])
    for number, device_id in enumerate(devices):
        now = datetime.now(UTC)
        profile = Profile(device_id=device_id, boot_id=BOOT, tools=TOOLS, at=now)
        session.publish(topics.device(device_id, Kind.PROFILE), profile.encode(), retain=True)
        presence = Presence(state="online", at=now, boot_id=BOOT)
        online = session.publish(topics.device(device_id, Kind.PRESENCE), presence.encode(), retain=True)
        if number % AT_ONCE == 0:
            await online
    print("ready", flush=True)
    while True:
        for message in await session.receive(500):
            session.ack(message)
            _answer(session, message)


def _answer(session: Session, message: Received) -> None:
    command = Command.decode(message.payload)
    reply = Reply(
        command_id=command.id,
        status=ReplyStatus.SUCCEEDED,
        at=datetime.now(UTC),
        boot_id=BOOT,
        result={"os": "linux", "cpu_percent": 3.5},
        duration_ms=0.1,
    )
    session.publish(command.reply_to, reply.encode())
