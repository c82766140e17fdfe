"""The harness's side of the driver: orders go in, what happens comes out."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

LOADED_WITHIN = 60.0  # seconds for the driver's imports
STARTED_WITHIN = 10.0  # seconds for a fork

Fact = dict[str, Any]


class Zygote:
    """Starts programs by name; `heard` is called with each line a program says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._heard: dict[str, Callable[[Fact], None]] = {}
        self._started: dict[str, asyncio.Future[int]] = {}

    async def start(self, order: dict[str, Any], heard: Callable[[Fact], None]) -> int:
        """Fork one program; its process id. `key` in the order tells it from every other."""
        key = order["key"]
        self._heard[key] = heard
        self._started[key] = asyncio.get_running_loop().create_future()
        if self._process.stdin is None:
            raise RuntimeError("the driver has no standard input")
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        async with asyncio.timeout(STARTED_WITHIN):
            return await self._started[key]

    async def listen(self) -> None:
        """Hand on what programs say, until the driver ends."""
        if self._process.stdout is None:
            return
        while line := await self._process.stdout.readline():
            fact = json.loads(line)
            if "started" in fact:
                self._started[fact["key"]].set_result(fact["started"])
            elif (heard := self._heard.get(fact["key"])) is not None:
                heard(fact)


@asynccontextmanager
async def zygote() -> AsyncIterator[Zygote]:
    """A driver that has imported everything; all its programs are gone after the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.faults.driver",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    if process.stdout is None:
        raise RuntimeError("the driver has no standard output")
    async with asyncio.timeout(LOADED_WITHIN):
        if not await process.stdout.readline():
            raise RuntimeError("the driver did not start; its words are above")
    made = Zygote(process)
    listening = asyncio.create_task(made.listen(), name="driver-words")
    try:
        yield made
    finally:
        process.kill()  # its children are killed by its death
        await process.wait()
        listening.cancel()
        await asyncio.wait((listening,))


async def gone(pid: int) -> None:
    """Return when a process, anybody's, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def send(pid: int, what: signal.Signals) -> None:
    """Signal a process that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, what)
