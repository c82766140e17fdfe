"""`make bench-api`: reading routes beside a bare one, and a command over HTTP beside the same in one process."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvloop
from rich.console import Console

from bench.api.caller import Answers, Question, call
from bench.api.installation import NODE, Installation, installation
from bench.figures import Figure, percentile, table
from bench.inflight import command
from bench.stand import Stand, joined, stand

console = Console(stderr=True)

TURNS = 4  # the first warms up
TURN_S = 3.0  # seconds
FEW, MANY = 8, 100  # connections
EVERY_S = (
    0.5  # seconds between two looks of one of the many: as fast as they can, they would wait for each other
)
RATIO, P99_MS, ROUND_TRIP = 0.6, 10.0, 1.5  # the goals
TRIPS = 150  # commands of a turn
LOOK = "system_info"


async def main() -> int:
    """Measure, and print the table."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="orion-bench-") as folder:
        async with installation(Path(folder) / "whole") as whole:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{whole.port}/api/v1", headers=_shown(whole)
            ) as client:
                done = await _done(client)
                for name, path in (
                    ("the list of 100 devices", "/api/v1/devices"),
                    ("one device", "/api/v1/devices/laptop-001"),
                    ("the status of a command", f"/api/v1/commands/{done}"),
                    ("the last 50 commands", "/api/v1/commands"),
                ):
                    with console.status(f"Asking for {name}"):
                        answer = (await client.get(path.removeprefix("/api/v1"))).json()
                        figures += await _read(name, path, whole, answer, Path(folder))
            async with stand(Path(folder) / "parts") as parts, joined(parts, NODE, Path(folder) / "node"):
                with console.status("Sending commands"):
                    figures.append(await _round_trips(whole, parts))
    Console(width=None if sys.stdout.isatty() else 160).print(table(figures))
    return 0


def _shown(whole: Installation) -> dict[str, str]:
    return {"Authorization": f"Bearer {whole.token}"}


async def _done(client: httpx.AsyncClient) -> str:
    """Fifty commands that have ended; the id of one."""
    order = {"device_id": NODE, "tool": LOOK}
    for _ in range(50):
        row = (await client.post("commands", json=order, headers={"Prefer": "wait=10"})).json()
        assert row["status"] == "succeeded", row
    return str(row["command_id"])


async def _read(name: str, path: str, whole: Installation, answer: Any, folder: Path) -> list[Figure]:
    async with _bare(answer, folder / "answer.json") as port:
        ours, bare = Question.get(whole.port, path, whole.token), Question.get(port, "/bare")
        paces: dict[str, list[Answers]] = {"ours": [], "bare": []}
        for turn in range(TURNS):
            for who, question in (("ours", ours), ("bare", bare)):
                took = await call(question, connections=FEW, seconds=TURN_S)
                paces[who] += [took] if turn else []
        crowds = {
            who: await call(question, connections=MANY, seconds=2 * TURN_S, every_s=EVERY_S)
            for who, question in (("ours", ours), ("bare", bare))
        }
    rates = {who: percentile([each.rate for each in some], 50) for who, some in paces.items()}
    ratio = rates["ours"] / rates["bare"]
    p99 = {who: percentile(each.latencies, 99) for who, each in crowds.items()}
    return [
        Figure(
            f"{name}, {FEW} connections",
            f"{rates['ours']:.0f}/s",
            f"bare {rates['bare']:.0f}/s",
            ratio,
            f"≥ {RATIO}",
            ratio >= RATIO,
        ),
        Figure(
            f"{name}, {MANY} connections that look {1 / EVERY_S:.0f} times a second, p99",
            f"{p99['ours']:.3g} ms, {crowds['ours'].rate:.0f}/s",
            f"bare {p99['bare']:.3g} ms, {crowds['bare'].rate:.0f}/s",
            p99["ours"] / p99["bare"],
            f"< {P99_MS:.0f} ms",
            p99["ours"] < P99_MS,
        ),
    ]


@asynccontextmanager
async def _bare(answer: Any, path: Path) -> AsyncIterator[int]:
    """The bare application in a process of its own; its port."""
    await asyncio.to_thread(path.write_text, json.dumps(answer), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.api.bare", str(path), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        async with httpx.AsyncClient() as client:
            while True:
                try:
                    await client.get(f"http://127.0.0.1:{port}/bare")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _round_trips(whole: Installation, parts: Stand) -> Figure:
    """A tool that looks, from submit to stored final reply, one after the other, in turns."""
    body = json.dumps({"device_id": NODE, "tool": LOOK})
    head = (
        f"POST /api/v1/commands HTTP/1.1\r\nHost: 127.0.0.1:{whole.port}\r\nAuthorization: Bearer {whole.token}\r\n"
        f"Content-Type: application/json\r\nPrefer: wait=10\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    question = Question(whole.port, (head + body).encode(), b"HTTP/1.1 202")
    http: list[float] = []
    inside: list[float] = []
    for turn in range(TURNS):
        answers = await call(question, connections=1, seconds=TURN_S / 2)
        here = [await _inside(parts) for _ in range(TRIPS)]
        http += answers.latencies if turn else []
        inside += here if turn else []
    ratio = percentile(http, 50) / percentile(inside, 50)
    return Figure(
        "a command over HTTP until it is final, p50/p99",
        f"{percentile(http, 50):.3g}/{percentile(http, 99):.3g} ms",
        f"in one process {percentile(inside, 50):.3g}/{percentile(inside, 99):.3g} ms",
        ratio,
        f"≤ {ROUND_TRIP}",
        ratio <= ROUND_TRIP,
    )


async def _inside(parts: Stand) -> float:
    begun = time.perf_counter()
    await command(parts, NODE, LOOK, dict)
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
