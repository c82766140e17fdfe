"""Many devices in one process: each event on its device's own topic, each waited for until its Ack.

All speak through one connection of an identity that may publish for any device, so that
what is measured is the controller and not a thousand TCP connections. An event's lag is
the time from its publishing until its Ack, so it holds the commit and both ways.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.figures import percentile
from broker.session import Endpoint, Session, Subscription
from schemas.events import Event, Severity
from schemas.ids import new_id
from schemas.topics import Kind, Topics

TURN = 0.01  # seconds between two bursts of a steady pace
MAX_UNANSWERED = 2_000  # events on the way when there is no pace: the broker's queue is not what is measured
GIVE_UP_AFTER = 30.0  # seconds without a single Ack


def device_ids(count: int) -> list[str]:
    """The devices that a crowd plays."""
    return [f"crowd-{number:04}" for number in range(count)]


@dataclass
class Crowd:
    """`rate` 0: as fast as answers come. Not `answered`: nobody is there to answer."""

    topics: Topics
    devices: list[str]
    count: int
    rate: float
    answered: bool
    waiting: dict[str, float] = field(default_factory=dict)
    lags: list[tuple[float, float]] = field(default_factory=list)  # published at, answered after: seconds

    async def play(self, session: Session) -> dict[str, Any]:
        """Publish everything, wait for every Ack, and say how it went."""
        begun = time.monotonic()
        if not self.answered:
            await self._publish(session)
            return {"took": time.monotonic() - begun, "missing": 0, "lags": []}
        await session.subscribe([Subscription(self.topics.every_device(Kind.ACK))])
        listening = asyncio.create_task(self._listen(session), name="listening")
        await self._publish(session)
        await self._await_acks()
        took = time.monotonic() - begun
        listening.cancel()
        return {"took": took, "missing": len(self.waiting), "lags": self._thirds()}

    async def _publish(self, session: Session) -> None:
        begun = time.monotonic()
        for number, (topic, event) in enumerate(self._events()):
            while self._ahead(number, time.monotonic() - begun):
                await asyncio.sleep(TURN)
            if self.answered:
                self.waiting[event.id] = time.monotonic()
            sent = session.publish(topic, event.encode())
            if number % 100 == 0 or number == self.count - 1:
                await sent  # stay within what a session queues

    def _ahead(self, number: int, elapsed: float) -> bool:
        return number > elapsed * self.rate if self.rate else len(self.waiting) >= MAX_UNANSWERED

    def _events(self) -> Iterator[tuple[str, Event]]:
        for number in range(self.count):
            event = Event(
                id=new_id(),
                type="low_disk_space",
                severity=Severity.WARNING,
                data={"mount": "/srv", "percent": 91.5, "free_gb": 12.25, "number": number},
                at=datetime.now(UTC),
            )
            yield self.topics.device(self.devices[number % len(self.devices)], Kind.EVENT), event

    async def _listen(self, session: Session) -> None:
        while True:
            for message in await session.receive(500):
                session.ack(message)
                now = time.monotonic()
                for event_id in json.loads(message.payload).get("events", ()):
                    if (published := self.waiting.pop(event_id, None)) is not None:
                        self.lags.append((published, now - published))

    async def _await_acks(self) -> None:
        fewest, changed = len(self.waiting), time.monotonic()
        while self.waiting and time.monotonic() - changed < GIVE_UP_AFTER:
            await asyncio.sleep(TURN)
            if len(self.waiting) < fewest:
                fewest, changed = len(self.waiting), time.monotonic()

    def _thirds(self) -> list[tuple[float, float]]:
        """The median and the 99th percentile of the lag in each third of the time, in ms."""
        lags = [lag * 1e3 for _, lag in sorted(self.lags)]
        third = max(1, len(lags) // 3)
        parts = [part for part in (lags[:third], lags[third : 2 * third], lags[2 * third :]) if part]
        return [(percentile(part, 50), percentile(part, 99)) for part in parts]


async def play(wanted: dict[str, Any], endpoint: Endpoint) -> None:
    """Be the crowd that `wanted` describes, and say on standard output how it went."""
    crowd = Crowd(
        topics=Topics(wanted["prefix"]),
        devices=device_ids(wanted["devices"]),
        count=wanted["count"],
        rate=wanted["rate"],
        answered=wanted["answered"],
    )
    session = Session(endpoint, client_id=endpoint.username or "", clean_start=True)
    await session.connect()
    try:
        print(json.dumps(await crowd.play(session)), flush=True)
    finally:
        await session.close()
