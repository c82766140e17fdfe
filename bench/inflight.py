"""Commands from submit to stored final reply with 1, 10 and 100 on the way, beside a bare echo.

Both go through two processes and one Mosquitto, in turns (A B A B …) with as many on
the way; a write with `fdatasync` on the same disk is timed in every turn.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial

from bench import disk
from bench.echo import Echo
from bench.figures import Figure, percentile
from bench.stand import ACTOR, Stand, joined, peer
from broker.session import Endpoint
from controller.services import commands, waiting
from controller.services.commands import CommandRequest
from schemas.wire import JsonObject

LEVELS = (1, 10, 100)  # on the way at once
TURNS = 6  # the first warms up
PER_TURN = {1: 40, 10: 150, 100: 400}


@dataclass
class Samples:
    """What one kind of work took: each latency in ms, and the pace of each turn."""

    latencies: list[float] = field(default_factory=list)
    paces: list[float] = field(default_factory=list)

    @property
    def p50(self) -> float:
        return percentile(self.latencies, 50)

    def said(self) -> str:
        p99, pace = percentile(self.latencies, 99), percentile(self.paces, 50)
        return f"{self.p50:.3g}/{p99:.3g} ms, {pace:.0f}/s"


async def measure(stand: Stand, echo_place: Endpoint, asker_place: Endpoint) -> list[Figure]:
    """p50/p99 and pace of a tool that reads and of one that changes, at every level.

    The same node with its journal in memory tells what writing it to the disk costs.
    """
    listen, answer = stand.topics.prefix + "/bench/asked", stand.topics.prefix + "/bench/answered"
    wanted = {
        "be": "echo",
        "endpoint": asdict(echo_place) | {"tls": None},
        "listen": listen,
        "answer": answer,
    }
    numbers = itertools.count()

    def new_folder() -> JsonObject:
        return {"path": str(stand.files / f"{next(numbers)}")}

    (empty := stand.files / "empty").mkdir()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(peer(wanted, until="ready"))
        echo = await stack.enter_async_context(Echo.connected(asker_place, listen, answer))
        works: dict[str, Callable[[], Awaitable[None]]] = {
            "looks": partial(command, stand, "node", "list_directory", lambda: {"path": str(empty)}),
            "changes": partial(command, stand, "node", "create_directory", new_folder),
            "echo": echo.once,
        }
        if (folder := stack.enter_context(disk.in_memory())) is not None:
            await stack.enter_async_context(joined(stand, "memory", folder))
            works["in memory"] = partial(command, stand, "memory", "create_directory", new_folder)
        figures: list[Figure] = []
        for level in LEVELS:
            figures += await _measured(stand, level, works)
        return figures


async def _measured(
    stand: Stand, level: int, works: dict[str, Callable[[], Awaitable[None]]]
) -> list[Figure]:
    flushes: list[float] = []
    samples = {name: Samples() for name in works}
    for turn in range(TURNS):
        for name, work in works.items():
            await _run(level, PER_TURN[level], work, samples[name] if turn else Samples())
        flushes += await asyncio.to_thread(disk.flushes, stand.data_dir / "flushed")
    found = [_figure(level, name, samples) for name in ("looks", "changes")]
    if level == 1 and "in memory" in samples:
        found.append(_cost(samples, percentile(flushes, 50)))
    return found


def _figure(level: int, name: str, samples: dict[str, Samples]) -> Figure:
    return Figure(
        f"command that {name}, {level} on the way, p50/p99",
        samples[name].said(),
        f"bare MQTT echo {samples['echo'].said()}",
        samples[name].p50 / samples["echo"].p50,
        "as near to the echo as can be" if level == 1 else "",
    )


def _cost(samples: dict[str, Samples], flush: float) -> Figure:
    """What it costs that a command that changes something is on the disk before it is done."""
    cost = samples["changes"].p50 - samples["in memory"].p50
    return Figure(
        "durability of a command that changes, p50",
        f"{cost:+.2g} ms",
        f"journal in memory {samples['in memory'].p50:.3g} ms; one fdatasync {flush:.2g} ms",
        samples["changes"].p50 / samples["in memory"].p50,
        "a flush on each side",
        cost <= 2 * flush,
    )


async def _run(level: int, count: int, work: Callable[[], Awaitable[None]], samples: Samples) -> None:
    """Do the work `count` times with `level` of it on the way at once."""
    left = iter(range(count))

    async def one_after_the_other() -> None:
        for _ in left:
            begun = time.perf_counter()
            await work()
            samples.latencies.append((time.perf_counter() - begun) * 1e3)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(level):
            group.create_task(one_after_the_other())
    samples.paces.append(count / (time.perf_counter() - begun))


async def command(stand: Stand, device_id: str, tool: str, arguments: Callable[[], JsonObject]) -> None:
    """One command, from submit to stored final reply, in this process."""
    request = CommandRequest(device_id, tool, arguments())
    row = await stand.store.write(
        lambda session: commands.submit(session, request, actor=ACTOR, now=datetime.now(UTC))
    )
    (ended,) = await waiting.until_settled(stand.store, stand.replies, [row], within_s=30)
    if ended.status != "succeeded":
        raise RuntimeError(f"the measured command {ended.status}: {ended.error_message}")
