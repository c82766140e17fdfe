"""One order to a group, from the submit until the last of its commands is stored as final.

The devices are one process on one connection: what a real one adds, it adds beside the
others. The figures beside ours are Salt's, taken once on a machine of two cores
(`test.ping` to all of 25 minions: 2.9 s), so they stand for a size and not for a ratio.
"""

import asyncio
import time
from dataclasses import asdict
from datetime import UTC, datetime

from bench import lab
from bench.figures import Figure, Spread
from bench.stand import ACTOR, Stand, peer
from broker.session import Endpoint
from controller.services import devices, rollouts, waiting
from controller.services.commands import CommandRequest
from controller.services.orders import Status
from controller.services.rollouts import GroupRequest, Pace
from controller.store.store import Session

SALT = 2.9 / 25  # seconds a device
SIZES = {100: 0.5, 1_000: 4.0}  # devices, and the goal in seconds
TURNS = 3
ONLINE_WITHIN = 60.0  # seconds
ENDS_WITHIN = 60.0


async def measure(stand: Stand, place: Endpoint) -> list[Figure]:
    """Seconds for each size of a group, and for one without a limit of those on the way."""
    most = max(SIZES)
    await stand.store.write(_add_places)
    wanted = {
        "be": "lab",
        "endpoint": asdict(place) | {"tls": None},
        "prefix": stand.topics.prefix,
        "devices": most,
    }
    async with peer(wanted, until="ready"):
        await _until_online(stand, most)
        figures = [await _figure(stand, size, Pace(), goal) for size, goal in SIZES.items()]
        figures.append(await _figure(stand, most, Pace(max_in_flight=None), SIZES[most], turns=1))
    return figures


def _add_places(session: Session) -> None:
    for number, device_id in enumerate(lab.device_ids(max(SIZES))):
        groups = tuple(_group(size) for size in SIZES if number < size)
        new = devices.NewDevice(device_id, groups=groups, adopt_first=True)
        devices.add(session, new, actor=ACTOR, now=datetime.now(UTC))


def _group(size: int) -> str:
    return f"lab-of-{size}"


async def _until_online(stand: Stand, count: int) -> None:
    async with asyncio.timeout(ONLINE_WITHIN):
        while await stand.store.read(_online) < count:
            await asyncio.sleep(0.1)


def _online(session: Session) -> int:
    ours = set(lab.device_ids(max(SIZES)))
    return sum(row.status == "online" and row.device_id in ours for row in devices.every(session))


async def _figure(stand: Stand, size: int, pace: Pace, goal: float, *, turns: int = TURNS) -> Figure:
    took = Spread.of([await _order(stand, size, pace) for _ in range(turns)])
    limit = "all at once" if pace.max_in_flight is None else f"{pace.max_in_flight} at a time"
    return Figure(
        f"one order to a group of {size:,}, {limit}, until all are final",
        took.said("s"),
        f"Salt for as many {SALT * size:.3g} s",
        None,
        f"under {goal:g} s",
        took.median < goal,
    )


async def _order(stand: Stand, size: int, pace: Pace) -> float:
    request = GroupRequest(_group(size), CommandRequest("", "system_info", {}), pace)
    begun = time.perf_counter()
    parent = await stand.store.write(
        lambda session: rollouts.submit(session, request, actor=ACTOR, now=datetime.now(UTC))
    )
    (ended,) = await waiting.until_settled(stand.store, stand.replies, [parent], within_s=ENDS_WITHIN)
    took = time.perf_counter() - begun
    if ended.status != Status.SUCCEEDED:
        raise RuntimeError(f"the order is {ended.status}: {ended.error_message} {ended.rollout}")
    return took
