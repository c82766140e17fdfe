"""Commands from submit to stored final reply with 1, 10 and 100 on the way, beside a bare echo.

Both go through two processes and one Mosquitto, in turns (A B A B …) with as many on
the way; a write with `fdatasync` on the same disk is timed in every turn.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.echo import Echo
from bench.figures import Figure, percentile
from bench.stand import ACTOR, Stand, peer
from broker.session import Endpoint
from controller.services import commands, waiting
from controller.services.commands import CommandRequest
from schemas.wire import JsonObject

LEVELS = (1, 10, 100)  # on the way at once
TURNS = 6  # the first warms up
PER_TURN = {1: 40, 10: 150, 100: 400}
FLUSHES = 10  # in a turn
BLOCK = b"x" * 4096


@dataclass
class Samples:
    """What one kind of work took: each latency in ms, and the pace of each turn."""

    latencies: list[float] = field(default_factory=list)
    paces: list[float] = field(default_factory=list)

    def said(self) -> str:
        return (
            f"{percentile(self.latencies, 50):.3g}/{percentile(self.latencies, 99):.3g} ms"
            f", {percentile(self.paces, 50):.0f}/s"
        )


async def measure(stand: Stand, echo_place: Endpoint, asker_place: Endpoint) -> list[Figure]:
    """p50/p99 and pace of a tool that reads and of one that changes, at every level."""
    listen, answer = stand.topics.prefix + "/bench/asked", stand.topics.prefix + "/bench/answered"
    wanted = {
        "be": "echo",
        "endpoint": asdict(echo_place) | {"tls": None},
        "listen": listen,
        "answer": answer,
    }
    files = stand.data_dir / "files"
    numbers = itertools.count()
    look = partial(_command, stand, "list_directory", lambda: {"path": str(files / "empty")})
    change = partial(_command, stand, "create_directory", lambda: {"path": str(files / f"{next(numbers)}")})
    await asyncio.to_thread((files / "empty").mkdir)
    figures: list[Figure] = []
    async with peer(wanted, until="ready"), Echo.connected(asker_place, listen, answer) as echo:
        for level in LEVELS:
            flushes: list[float] = []
            works: dict[str, Callable[[], Awaitable[None]]] = {
                "looks": look,
                "changes": change,
                "echo": echo.once,
            }
            samples = {name: Samples() for name in works}
            for turn in range(TURNS):
                for name, work in works.items():
                    await _run(level, PER_TURN[level], work, samples[name] if turn else Samples())
                flushes += await asyncio.to_thread(_flushes, stand.data_dir / "flushed")
            figures += [
                _figure(level, name, samples, percentile(flushes, 50)) for name in ("looks", "changes")
            ]
    return figures


def _figure(level: int, name: str, samples: dict[str, Samples], flush: float) -> Figure:
    ours, bare = (percentile(samples[each].latencies, 50) for each in (name, "echo"))
    return Figure(
        f"command that {name}, {level} on the way, p50/p99",
        samples[name].said(),
        f"echo {samples['echo'].said()}; a flush {flush:.2g} ms",
        ours / bare,
        "p50 within the echo and two flushes" if level == 1 else "",
        ours <= bare + 2 * flush if level == 1 else None,
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


async def _command(stand: Stand, tool: str, arguments: Callable[[], JsonObject]) -> None:
    request = CommandRequest("node", tool, arguments())
    row = await stand.store.write(
        lambda session: commands.submit(session, request, actor=ACTOR, now=datetime.now(UTC))
    )
    (ended,) = await waiting.until_settled(stand.store, stand.replies, [row.id], within_s=30)
    if ended.status != "succeeded":
        raise RuntimeError(f"the measured command {ended.status}: {ended.error_message}")


def _flushes(path: Path) -> list[float]:
    """How long it takes to write a block and have it on the disk, in ms."""
    found: list[float] = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FLUSHES):
            begun = time.perf_counter()
            file.write(BLOCK)
            os.fdatasync(file.fileno())
            found.append((time.perf_counter() - begun) * 1e3)
    return found
