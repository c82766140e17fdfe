"""A real node on a real broker, and the controller's side of the wire to talk to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from broker.session import Endpoint, PublishProperties, Received, Session, Subscription
from device_node import app, clock
from device_node.settings import NodeSettings
from device_node.sleep import Pulse
from device_node.trust import Keep, keep_nowhere
from schemas.ids import new_id
from schemas.keys import Key, Keys
from schemas.signing import Signer, UserProperties
from schemas.topics import Kind, Topics
from schemas.wire import format_instant
from tests.broker.running import RunningBroker

DEVICE = "laptop"
TOPICS = Topics()
REPLY_TO = TOPICS.reply(DEVICE, "main")
Message = dict[str, Any]


def a_policy(folder: Path, **rules: str) -> Path:
    """A policy file that allows this folder, and what `rules` add in TOML."""
    path = folder.parent / "policy.toml"
    lines = [
        f"allowed_paths = [{json.dumps(str(folder))}]",
        *(f"{key} = {rule}" for key, rule in rules.items()),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def settings_for(endpoint: Endpoint, tmp_path: Path, **changes: Any) -> NodeSettings:
    folder = tmp_path / "allowed"
    folder.mkdir(exist_ok=True)
    given: dict[str, Any] = {
        "data_dir": tmp_path / "data",
        "device_id": DEVICE,
        "endpoint": endpoint,
        "policy_path": a_policy(folder, allow_run_command="true"),
        **changes,
    }
    return NodeSettings(**given)


def a_command(tool: str = "system_info", /, **changes: Any) -> Message:
    now = datetime.now(UTC)
    return {
        "id": new_id(),
        "tool": tool,
        "arguments": {},
        "issued_at": format_instant(now),
        "expires_at": format_instant(now + timedelta(seconds=60)),
        "timeout_s": 30,
        "reply_to": REPLY_TO,
        "requested_by": {"user": "anna", "via": "cli"},
        "attempt": 1,
        **changes,
    }


def a_key(signer: Signer, *, until: datetime | None = None) -> Key:
    """A controller's key as devices are told of it."""
    now = datetime.now(UTC)
    return Key(
        key_id=signer.key_id,
        public=signer.public,
        not_before=now - timedelta(days=1),
        not_after=until or now + timedelta(days=365),
    )


def a_cancel(command_id: str) -> Message:
    now = datetime.now(UTC)
    return {
        "id": new_id(),
        "command_id": command_id,
        "at": format_instant(now),
        "expires_at": format_instant(now + timedelta(seconds=60)),
    }


@dataclass
class ControllerSide:
    """What a controller sees of one device, in the order of arrival."""

    session: Session
    signer: Signer | None = None
    seen: list[tuple[Received, Message]] = field(default_factory=list)
    _taken: int = 0

    async def send(
        self,
        kind: Kind,
        message: Message | bytes,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        signed: UserProperties | None = None,
    ) -> None:
        """Say something, signed by `signer` if there is one; `signed` stands in the place of its signature."""
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        topic = TOPICS.device(DEVICE, kind)
        if signed is None:
            signed = self.signer.sign(topic, payload) if self.signer else ()
        properties = PublishProperties(expiry_s=expiry_s, user_properties=signed)
        await self.session.publish(topic, payload, retain=retain, properties=properties)

    async def announce(self, *keys: Key, by: Signer, at: datetime | None = None) -> None:
        """Say which keys count, retained."""
        payload = Keys(keys=list(keys), at=at or datetime.now(UTC)).encode()
        properties = PublishProperties(user_properties=by.sign(TOPICS.keys(), payload))
        await self.session.publish(TOPICS.keys(), payload, retain=True, properties=properties)

    async def next(self, kind: str, wanted: Callable[[Message], bool] = lambda _message: True) -> Message:
        """The next message of a kind that has not been looked at; those before it are passed over."""
        async with asyncio.timeout(10):
            while True:
                while self._taken < len(self.seen):
                    received, message = self.seen[self._taken]
                    self._taken += 1
                    if f"/{kind}" in received.topic and wanted(message):
                        return message
                await self._take()

    async def final(self, command_id: str) -> Message:
        return await self.next(
            "reply/",
            lambda reply: (
                reply["command_id"] == command_id and reply["status"] not in ("accepted", "progress")
            ),
        )

    async def ask(self, command: Message, **options: Any) -> Message:
        """Send a command and wait for its final reply."""
        await self.send(Kind.COMMAND, command, **options)
        return await self.final(command["id"])

    async def ack(self, *command_ids: str) -> None:
        await self.send(Kind.ACK, {"at": format_instant(datetime.now(UTC)), "replies": list(command_ids)})

    async def still_answers(self) -> None:
        reply = await self.ask(a_command())
        assert reply["status"] == "succeeded"

    def replies_to(self, command_id: str) -> list[str]:
        """The statuses of all replies to one command that have arrived."""
        return [
            message["status"]
            for received, message in self.seen
            if "/reply/" in received.topic and message["command_id"] == command_id
        ]

    async def _take(self) -> None:
        for received in await self.session.receive(100):
            self.session.ack(received)
            if (
                "/command" not in received.topic
                and "/cancel" not in received.topic
                and "/ack" not in received.topic
            ):
                self.seen.append((received, json.loads(received.payload)))


@asynccontextmanager
async def controlling(
    broker: RunningBroker, *, replies: bool = True, signer: Signer | None = None
) -> AsyncIterator[ControllerSide]:
    session = Session(broker.controller, client_id="controller-main", session_expiry_s=0)
    await session.connect()
    kinds = [Kind.PRESENCE, Kind.PROFILE, Kind.HEARTBEAT, Kind.EVENT, *([Kind.REPLY] if replies else [])]
    await session.subscribe([Subscription(TOPICS.every_device(kind)) for kind in kinds])
    try:
        yield ControllerSide(session, signer)
    finally:
        await session.close()


async def forgotten(endpoint: Endpoint) -> None:
    """The broker lets go of what it holds for the device, as after the PUBACKs that a dead node did not send."""
    session = Session(endpoint, client_id=DEVICE, session_expiry_s=0)
    await session.connect()
    await session.close()


async def cut_off(endpoint: Endpoint) -> None:
    """End the node's connection, as a second client of its name does; it comes back by itself."""
    usurper = Session(endpoint, client_id=DEVICE)
    await usurper.connect()
    await usurper.close()


@asynccontextmanager
async def node(
    settings: NodeSettings,
    *,
    own_time: Callable[[], datetime] = clock.own_time,
    pulse: Pulse | None = None,
    keep_keys: Keep = keep_nowhere,
) -> AsyncIterator[asyncio.Task[int]]:
    """A node as a task, whose clock may be wrong and whose machine may sleep; leaving the block stops it cleanly."""
    stop = asyncio.Event()
    running = asyncio.create_task(
        app.run(settings, stop, own_time=own_time, pulse=pulse, keep_keys=keep_keys), name="node"
    )
    try:
        yield running
    finally:
        stop.set()
        async with asyncio.timeout(6):
            await running
