"""The wire to one device, as a controller has it: everything it says, in order, and a way to talk to it."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from broker.session import Endpoint, PublishProperties, Received, Session, SessionError, Subscription
from schemas.signing import Signer
from schemas.topics import Address, Kind, Topics

Json = dict[str, Any]
Found = TypeVar("Found")

BATCH = 100
CLOSED_WITHIN = 2.0  # seconds
INSTANCE = "conform"  # the controller that the device talks to
NOBODY = "orion-conform-nobody"  # a device that does not exist: nothing may be said for it


class LineLost(Exception):
    """The broker did not let us in, or the connection to it broke."""


@dataclass(frozen=True)
class Heard:
    """One message of the device, or about it."""

    message: Received
    address: Address
    at: float  # on the loop's clock

    @property
    def topic(self) -> str:
        return self.message.topic

    @cached_property
    def said(self) -> Json:
        """The object in it; empty when there is none."""
        try:
            found = json.loads(self.message.payload)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class Line:
    """Hears all topics of one device and speaks on those of its controller. It never hears itself."""

    def __init__(self, session: Session, device_id: str, topics: Topics, signer: Signer | None) -> None:
        self._session = session
        self._signer = signer
        self.device_id = device_id
        self.topics = topics
        self.heard: list[Heard] = []
        self._news = asyncio.Event()
        self._error: SessionError | None = None

    @property
    def signs(self) -> bool:
        return self._signer is not None

    def mark(self) -> int:
        """Where what was heard so far ends, for `after`."""
        return len(self.heard)

    def all(self, kind: Kind, *, after: int = 0) -> list[Heard]:
        """What was heard of one kind. Empty payloads clear a retained topic and say nothing."""
        return [one for one in self.heard[after:] if one.address.kind is kind and one.message.payload]

    async def until(self, look: Callable[[], Found | None], *, within_s: float) -> Found | None:
        """Look after each message until there is something to see; None when the time is over.

        Raises:
            LineLost: the connection to the broker broke meanwhile.
        """
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            self._news.clear()
            if (found := look()) is not None:
                return found
            if self._error is not None:
                raise LineLost(f"The connection to the broker broke: {self._error}") from self._error
            try:
                async with asyncio.timeout_at(deadline):
                    await self._news.wait()
            except TimeoutError:
                return look()

    async def send(
        self,
        kind: Kind,
        payload: bytes,
        *,
        command_id: str | None = None,
        reply_to: str | None = None,
        lasts_s: float | None = None,
        retain: bool = False,
        signed: bool = True,
        signer: Signer | None = None,
    ) -> None:
        """Publish to the device and wait for the broker. `signer` signs in the place of the controller.

        Raises:
            LineLost: the connection broke, or the broker did not take it.
        """
        topic = self.topics.device(self.device_id, kind)
        signer = signer or self._signer
        signature = signer.sign(topic, payload) if signer is not None and signed else ()
        properties = PublishProperties(
            expiry_s=None if lasts_s is None else max(1, math.ceil(lasts_s)),
            response_topic=reply_to,
            correlation=None if command_id is None else command_id.encode(),
            content_type="application/json",
            user_properties=signature,
        )
        try:
            await self._session.publish(topic, payload, retain=retain, properties=properties)
        except SessionError as error:
            raise LineLost(f"The broker did not take a message for {self.device_id}: {error}") from error

    async def listen(self) -> None:
        """Take in what arrives, until cancelled or until the connection breaks."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                for message in await self._session.receive(BATCH):
                    address = self.topics.parse(message.topic)
                    if address is not None:
                        self.heard.append(Heard(message, address, loop.time()))
                    self._session.ack(message)
                self._news.set()
        except SessionError as error:
            self._error = error
            self._news.set()


@asynccontextmanager
async def connected(
    endpoint: Endpoint, device_id: str, prefix: str, *, signer: Signer | None = None
) -> AsyncIterator[Line]:
    """A line to the device inside the block; it leaves nothing at the broker.

    Raises:
        LineLost: the broker did not let us in.
    """
    session = Session(endpoint, client_id=endpoint.username or "", session_expiry_s=0, clean_start=True)
    topics = Topics(prefix)
    line = Line(session, device_id, topics, signer)
    try:
        await session.connect()
    except SessionError as error:
        raise LineLost(f"The broker at {endpoint.host}:{endpoint.port} did not let us in: {error}") from error
    listening = asyncio.create_task(line.listen(), name="conform-listen")
    try:
        # the flag as it was published tells what the device retains; our own words are not wanted back
        everything = f"{topics.prefix}/devices/{device_id}/#"
        await session.subscribe(
            [
                Subscription(each, no_local=True, retain_as_published=True)
                for each in (everything, topics.reply(NOBODY, INSTANCE))
            ]
        )
        yield line
    except SessionError as error:
        raise LineLost(f"The broker ended the connection: {error}") from error
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        await session.close(within_s=CLOSED_WITHIN)
