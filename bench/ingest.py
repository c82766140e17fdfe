"""Events of a thousand devices: how many a second are committed, and whether that can go on.

The pace that can be reached stands beside a bare subscriber that reads the same messages
as JSON and acknowledges them, in turns. The sustained run holds one pace and looks at
what would grow if it were too much: the lag from publishing to Ack, and the memory.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import psutil

from bench import crowd
from bench.figures import Figure, Spread
from bench.stand import ACTOR, Stand, peer
from broker.session import Endpoint, Session, Subscription
from controller.services import devices
from controller.store.store import Session as StoreSession
from schemas.topics import Kind, Topics

DEVICES = 1_000
BURST = 10_000  # events in one measurement of the pace
TURNS = 3
PACE = 2_000.0  # events a second, the goal
SUSTAINED = 15.0  # seconds
SUSTAINED_LONG = 60.0
STEADY_LAG = 2.0  # the last third may lag so many times the first
STEADY_MEMORY = 1.1


async def measure(stand: Stand, crowd_place: Endpoint, bare_place: Endpoint, *, long: bool) -> list[Figure]:
    """The pace beside the bare subscriber's, then the sustained run."""
    await stand.store.write(_add_places)
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(TURNS):
        told = await _played(stand.topics, crowd_place, count=BURST, rate=0.0)
        ours.append(BURST / told["took"])
        bare.append(await _bare(crowd_place, bare_place))
    return [
        Figure(
            "events committed a second, 1,000 devices",
            Spread.of(ours).said("/s"),
            f"bare subscriber with JSON {Spread.of(bare).said('/s')}",
            Spread.of(ours).median / Spread.of(bare).median,
            f"over {PACE:,.0f} /s",
            Spread.of(ours).median > PACE,
        ),
        *await _sustained(stand, crowd_place, SUSTAINED_LONG if long else SUSTAINED),
    ]


def _add_places(session: StoreSession) -> None:
    for device_id in crowd.device_ids(DEVICES):
        devices.add(session, devices.NewDevice(device_id), actor=ACTOR, now=datetime.now(UTC))


async def _sustained(stand: Stand, crowd_place: Endpoint, seconds: float) -> list[Figure]:
    process = psutil.Process()
    watched = asyncio.create_task(_memory(process, seconds), name="memory")
    used = process.cpu_times()
    told = await _played(stand.topics, crowd_place, count=round(PACE * seconds), rate=PACE)
    busy = process.cpu_times()
    early, late = await watched
    share = (busy.user + busy.system - used.user - used.system) / told["took"]
    thirds = [f"{median:.0f}/{most:.0f}" for median, most in told["lags"]]
    kept_pace = told["took"] < 1.1 * seconds
    steady = told["lags"][-1][0] <= max(STEADY_LAG * told["lags"][0][0], 100.0)
    name = f"{PACE:,.0f} events a second for {told['took']:.0f} s"
    return [
        Figure(
            f"{name}: lag p50/p99, by thirds",
            " → ".join(thirds) + " ms",
            f"{told['missing']} unanswered, {100 * share:.0f} % of one core",
            None,
            "in time, no growth",
            kept_pace and steady and not told["missing"],
        ),
        Figure(
            f"{name}: resident memory",
            f"{late:.1f} MB at the end",
            f"{early:.1f} MB after a third",
            late / early,
            f"under {STEADY_MEMORY:g}",
            late / early < STEADY_MEMORY,
        ),
    ]


async def _memory(process: psutil.Process, seconds: float) -> tuple[float, float]:
    await asyncio.sleep(seconds / 3)
    early = process.memory_info().rss / 1e6
    await asyncio.sleep(seconds * 2 / 3)
    return early, process.memory_info().rss / 1e6


async def _played(
    topics: Topics, place: Endpoint, *, count: int, rate: float, answered: bool = True
) -> dict[str, Any]:
    wanted = {
        "be": "crowd",
        "endpoint": asdict(place) | {"tls": None},
        "prefix": topics.prefix,
        "devices": DEVICES,
        "count": count,
        "rate": rate,
        "answered": answered,
    }
    async with peer(wanted, until="") as process:
        line = await process.stdout.readline() if process.stdout else b""
    if not line:
        raise RuntimeError("the crowd ended without a word")
    told: dict[str, Any] = json.loads(line)
    if told["missing"]:
        raise RuntimeError(f"{told['missing']} of {count} events were never acknowledged")
    return told


async def _bare(crowd_place: Endpoint, place: Endpoint) -> float:
    """Events a second that a session takes, reads and acknowledges; its topics are nobody else's."""
    topics = Topics("orion/v1/bench")
    session = Session(place, client_id=place.username or "", clean_start=True, receive_maximum=1_000)
    await session.connect()
    await session.subscribe([Subscription(topics.every_device(Kind.EVENT))])
    try:
        async with asyncio.TaskGroup() as group:
            taking = group.create_task(_take(session), name="taking")
            group.create_task(_played(topics, crowd_place, count=BURST, rate=0.0, answered=False))
        return taking.result()
    finally:
        await session.close()


async def _take(session: Session) -> float:
    taken: Sequence[Any] = await session.receive(256)
    begun, count = time.monotonic(), 0
    while True:
        for message in taken:
            json.loads(message.payload)
            session.ack(message)
        count += len(taken)
        if count >= BURST:
            return count / (time.monotonic() - begun)
        taken = await session.receive(256)
