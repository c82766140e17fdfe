"""What speaks to the controller's MQTT door from outside."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker.session import Endpoint
from schemas.signing import Signer
from schemas.topics import Kind, Topics
from schemas.wire import WireModel

WITHIN = 10.0  # seconds until a thing that must happen is called missing


@dataclass
class Heard:
    """One message as a third party's client sees it."""

    topic: str
    payload: bytes
    retain: bool
    qos: int
    properties: dict[str, Any]

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.payload)
        return found


@dataclass
class Peer:
    """A plain MQTT client: a device, or somebody who looks on."""

    client: aiomqtt.Client
    topics: Topics
    device_id: str
    signer: Signer | None = None
    inbox: asyncio.Queue[Heard] = field(default_factory=asyncio.Queue)
    passed_over: list[Heard] = field(default_factory=list)

    async def say(
        self,
        kind: Kind,
        message: WireModel | bytes,
        *,
        retain: bool = False,
        qos: int = 1,
        to: str | None = None,
    ) -> None:
        payload = message if isinstance(message, bytes) else message.encode()
        topic = to or (
            self.topics.reply(self.device_id, "main")
            if kind is Kind.REPLY
            else self.topics.device(self.device_id, kind)
        )
        properties = None
        if self.signer is not None:
            properties = Properties(PacketTypes.PUBLISH)
            properties.UserProperty = list(self.signer.sign(topic, payload))
        await self.client.publish(topic, payload, qos=qos, retain=retain, properties=properties)

    async def heard(self, ending: str) -> Heard:
        """The next message on a topic that ends so; others are kept for later."""
        async with asyncio.timeout(WITHIN):
            while True:
                for message in self.passed_over:
                    if message.topic.endswith(ending):
                        self.passed_over.remove(message)
                        return message
                self.passed_over.append(await self.inbox.get())

    def waiting(self, ending: str) -> int:
        """How many such messages have come and were not taken."""
        while not self.inbox.empty():
            self.passed_over.append(self.inbox.get_nowait())
        return sum(1 for message in self.passed_over if message.topic.endswith(ending))

    async def listen(self) -> None:
        async for message in self.client.messages:
            properties = vars(message.properties) if message.properties is not None else {}
            topic, payload = str(message.topic), message.payload
            assert isinstance(payload, bytes)
            await self.inbox.put(Heard(topic, payload, message.retain, message.qos, properties))


@asynccontextmanager
async def peer(
    endpoint: Endpoint, topics: Topics, filters: list[str], *, clean_start: bool = True
) -> AsyncIterator[Peer]:
    """A client of paho's own kind, subscribed."""
    kept = Properties(PacketTypes.CONNECT)
    kept.SessionExpiryInterval = 3600
    assert endpoint.username is not None
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            aiomqtt.Client(
                endpoint.host,
                endpoint.port,
                username=endpoint.username,
                password=endpoint.password,
                identifier=endpoint.username,
                protocol=aiomqtt.ProtocolVersion.V5,
                clean_start=clean_start,
                properties=kept,
            )
        )
        found = Peer(client, topics, endpoint.username)
        listening = asyncio.create_task(found.listen(), name="peer")

        async def hush() -> None:
            listening.cancel()
            await asyncio.wait((listening,))

        stack.push_async_callback(hush)
        if filters:
            await client.subscribe([(each, 1) for each in filters])
        yield found
