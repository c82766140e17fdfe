"""A person with a plain MQTT client: asks, decides, and hears the answers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from broker.session import Endpoint
from schemas.topics import Kind
from schemas.wire import format_instant
from tests.controller.mqtt.peer import Peer, peer
from tests.flows.installation import Installation

Json = dict[str, Any]

ENDINGS = ("final", "error", "decision_result")


@dataclass
class Person:
    """Somebody at the broker, under their own name."""

    name: str
    peer: Peer

    async def publish(self, kind: Kind, message: Json, *, retain: bool = False, name: str = "") -> None:
        topic = self.peer.topics.user(name or self.name, kind)
        await self.peer.client.publish(topic, json.dumps(message).encode(), qos=1, retain=retain)

    async def ask(self, text: str, request_id: str = "r1", *, at: float = 0.0, **more: Any) -> None:
        """Say something, `at` seconds from now by the sender's clock."""
        dated = format_instant(datetime.now(UTC) + timedelta(seconds=at))
        retain, name = more.pop("retain", False), more.pop("name", "")
        message = {"id": request_id, "text": text, "at": dated} | more
        await self.publish(Kind.REQUEST, message, retain=retain, name=name)

    async def decide(
        self, card: Json, decision: str = "approve", decision_id: str = "d1", **more: Any
    ) -> Json:
        """Decide a card; the result."""
        message = {
            "id": decision_id,
            "approval_id": card["id"],
            "approval_hash": card["hash"],
            "decision": decision,
            "at": format_instant(datetime.now(UTC)),
        }
        await self.publish(Kind.DECISION, message | more)
        return (await self.answers(decision_id))[-1]

    async def response(self) -> Json:
        """The next response."""
        return (await self.peer.heard("/response")).json

    async def answers(self, request_id: str = "r1") -> list[Json]:
        """Every response to a request, in the order of arrival, to its end."""
        heard: list[Json] = []
        while not heard or heard[-1]["type"] not in ENDINGS:
            response = await self.response()
            assert response["request_id"] == request_id, response
            heard.append(response)
        assert [each["seq"] for each in heard] == list(range(len(heard)))
        return heard

    async def told(self, text: str, request_id: str = "r1", **more: Any) -> list[Json]:
        """Ask and hear all of the answer."""
        await self.ask(text, request_id, **more)
        return await self.answers(request_id)

    @property
    def unread(self) -> int:
        return self.peer.waiting("/response")


async def let_in(orion: Installation, name: str, role: str) -> Endpoint:
    """Make a user as an admin does."""
    made = await orion.http.post("users", json={"username": name, "role": role})
    assert made.status_code == 201, made.text
    return orion.broker.endpoint(name, made.json()["mqtt"]["password"])


@asynccontextmanager
async def connected(
    orion: Installation, endpoint: Endpoint, *, clean_start: bool = True
) -> AsyncIterator[Person]:
    """A person who listens to their own answers, and to cards where their role lets them."""
    topics = orion.broker.topics
    name = endpoint.username or ""
    filters = [topics.user(name, Kind.RESPONSE), topics.approval("+")]
    async with peer(endpoint, topics, filters, clean_start=clean_start) as found:
        yield Person(name, found)


@asynccontextmanager
async def person(orion: Installation, name: str = "mia", role: str = "operator") -> AsyncIterator[Person]:
    """A new user, connected."""
    async with connected(orion, await let_in(orion, name, role)) as found:
        yield found
