"""A quiet device's commands beside a device that floods, with and without a limit for each device.

Both runs are on an installation of their own, and each is told beside the same commands
before the flood. Everything is real: a node, a broker, and a program that only floods.
"""

import asyncio
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Figure, percentile
from bench.stand import ACTOR, Stand, joined, peer, stand
from broker import process
from broker.identities import await_active
from broker.session import Endpoint
from controller.mqtt.meter import Allowance
from controller.services import commands, devices, waiting
from controller.services.commands import CommandRequest
from schemas.topics import Kind

CALM = 3.0  # seconds of commands before the flood
FLOOD = 15.0  # seconds
STOPPED = 8.0  # seconds; less than a broker waits for a sign of life
NAMES = {Kind.HEARTBEAT: "heartbeats", Kind.EVENT: "events", Kind.REPLY: "replies"}
NO_LIMIT = Allowance(1e12, 1e15)
LIMIT = Allowance()
ORDERS = 300  # for a device that reads nothing
LARGE = "x" * 50_000  # what each of them carries


@dataclass
class Heard:
    """When each command was asked for, seconds into its part, and how long it took in ms."""

    taken: list[tuple[float, float]]
    unanswered: bool = False  # the last one had no answer when the time was over

    @property
    def latencies(self) -> list[float]:
        return [took for _, took in self.taken]

    @property
    def mean(self) -> float:
        return sum(self.latencies) / len(self.latencies)

    def said(self) -> str:
        p50, p99, most = (percentile(self.latencies, percent) for percent in (50, 99, 100))
        return (
            f"{p50:.3g}/{p99:.3g}/{'>' if self.unanswered else ''}{most:.3g} ms, {len(self.taken)} commands"
        )

    def after(self, seconds: float) -> "Heard":
        return Heard([each for each in self.taken if each[0] >= seconds], self.unanswered)


async def measure(data_dir: Path) -> list[Figure]:
    """p50/p99 of a quiet device's commands for each kind of flood."""
    figures: list[Figure] = []
    for kind in NAMES:
        for name, allowance in (("no limit", NO_LIMIT), ("limit", LIMIT)):
            folder = data_dir / f"{kind.value}-{name.replace(' ', '-')}"
            figures += await _beside(folder, kind, name, allowance)
    return [*figures, await _beside_stopped(data_dir / "stopped")]


async def _beside_stopped(data_dir: Path) -> Figure:
    """The same beside a device that was stopped in its tracks: it is connected and reads nothing."""
    async with (
        stand(data_dir) as running,
        joined(running, "node", data_dir / "node-data"),
        joined(running, "stopped", data_dir / "stopped-data") as pid,
    ):
        mosquitto = process.running(data_dir / "broker")
        if mosquitto is None:
            raise RuntimeError("the broker has no pid")
        memory = psutil.Process(mosquitto.pid).memory_info
        await _asked(running, 1.0)  # warms up
        calm, before = await _asked(running, CALM), memory().rss / 1e6
        os.kill(pid, signal.SIGSTOP)
        try:
            for number in range(ORDERS):
                path = str(running.files / f"{number}")
                request = CommandRequest("stopped", "write_file", {"path": path, "content": LARGE})
                await running.store.write(
                    partial(commands.submit, request=request, actor=ACTOR, now=datetime.now(UTC))
                )
            beside, after = await _asked(running, STOPPED), memory().rss / 1e6
        finally:
            os.kill(pid, signal.SIGCONT)
    return Figure(
        f"command of a quiet device beside one that reads nothing, sent {ORDERS} orders of {len(LARGE) // 1000} kB: p50/p99/most",
        f"{beside.said()}; broker's memory {after:.0f} MB",
        f"before it was stopped {calm.said()}; broker's memory {before:.0f} MB",
        _ratio(beside, calm),
        "under 2",
        _ratio(beside, calm) < 2.0,
    )


async def _beside(data_dir: Path, kind: Kind, name: str, allowance: Allowance) -> list[Figure]:
    async with (
        stand(data_dir, allowance=allowance) as running,
        joined(running, "node", data_dir / "node-data"),
    ):
        loud = await _placed(running, "loud")
        wanted = {
            "be": "flood",
            "endpoint": asdict(loud) | {"tls": None},
            "prefix": running.topics.prefix,
            "kind": kind.value,
            "seconds": FLOOD,
        }
        await _asked(running, 1.0)  # warms up
        calm = await _asked(running, CALM)
        async with peer(wanted, until="ready") as loud_one:
            begun = time.monotonic()
            flooded, out = await asyncio.gather(_asked(running, FLOOD), _shut_out(running, begun))
            line = await loud_one.stdout.readline() if loud_one.stdout else b"{}"
        told: dict[str, Any] = json.loads(line)
    pace = told["sent"] / max(told["heard_for"], 0.001)
    what = f"command of a quiet device beside a flood of {NAMES[kind]} ({pace:,.0f}/s), {name}"
    baseline = f"before the flood {calm.said()}"
    figures = [
        Figure(
            f"{what}: p50/p99/most",
            flooded.said(),
            baseline,
            flooded.mean / calm.mean,
            "the ratio is the means'",
        )
    ]
    if out is not None:
        after = flooded.after(out)
        figures.append(
            Figure(
                f"… once it was shut out, after {out:.1f} s",
                after.said() if after.taken else "none",
                baseline,
                _ratio(after, calm),
                "under 2",
                _ratio(after, calm) < 2.0,
            )
        )
    return figures


def _ratio(one: Heard, other: Heard) -> float:
    return percentile(one.latencies or [float("inf")], 50) / percentile(other.latencies, 50)


async def _placed(running: Stand, device_id: str) -> Endpoint:
    password = await asyncio.to_thread(running.identities.add_device, device_id)
    place = Endpoint(running.controller.host, running.controller.port, device_id, password)
    await await_active(place)
    new = devices.NewDevice(device_id)
    await running.store.write(lambda session: devices.add(session, new, actor=ACTOR, now=datetime.now(UTC)))
    return place


async def _asked(running: Stand, seconds: float) -> Heard:
    """Commands one after the other for so long."""
    begun = time.perf_counter()
    heard = Heard([])
    while (at := time.perf_counter() - begun) < seconds:
        request = CommandRequest("node", "system_info", {})
        row = await running.store.write(
            partial(commands.submit, request=request, actor=ACTOR, now=datetime.now(UTC))
        )
        (ended,) = await waiting.until_settled(
            running.store, running.replies, [row], within_s=max(0.5, seconds - at)
        )
        heard.taken.append((at, (time.perf_counter() - begun - at) * 1e3))
        heard.unanswered = ended.status != "succeeded"
    return heard


async def _shut_out(running: Stand, begun: float) -> float | None:
    """Seconds until the loud device is shut out."""
    while (passed := time.monotonic() - begun) < FLOOD:
        if "loud" in await running.store.read(devices.suspended):
            return passed
        await asyncio.sleep(0.1)
    return None
