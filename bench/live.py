"""`python -m bench.live`: a thousand readers of the live stream, fifty events a second, each to every one of them.

A whole installation runs in processes of its own, and devices say the events by MQTT; the readers are here.
"""

import argparse
import asyncio
import json
import os
import re
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import aiomqtt
import httpx
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench.figures import Figure, Spread, percentile
from bench.stand import free_port
from schemas.events import Event, Severity
from schemas.ids import new_id

console = Console(stderr=True)

READERS, USERS = 1_000, 20
DEVICES, PER_DEVICE = 10, 5.0  # events of each in a second
WARM_UP, MEASURED = 3.0, 15.0  # seconds
READY_WITHIN = 60.0  # seconds
PASSWORD = secrets.token_urlsafe(24)
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
)
PING = b"\x89\x04"  # how uvicorn's begin; who does not answer is taken for gone
_SAID_AT = re.compile(rb'"type":"event","at":"([^"]+)"')


@dataclass(slots=True)
class Counted:
    """What all readers together have got."""

    said: int = 0  # by the devices
    messages: int = 0
    lags: list[float] = field(default_factory=list)  # seconds, of one reader
    open: int = 0
    ended: int = 0


class Reading(asyncio.Protocol):
    """One reader, as cheap as it can be: this process has a thousand."""

    def __init__(self, request: bytes, counted: Counted, *, watched: bool) -> None:
        self._request = request
        self._counted = counted
        self._watched = watched
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        cast("asyncio.WriteTransport", transport).write(self._request)  # uvloop's say nothing of their kind

    def data_received(self, data: bytes) -> None:
        if (ping := data.find(PING)) >= 0:
            nonce = data[ping + len(PING) :][:4]
            cast("asyncio.WriteTransport", self._transport).write(b"\x8a\x84\0\0\0\0" + nonce)
        if not self._is_open and b'"type":"ready"' in data:
            self._is_open = True
            self._counted.open += 1
        self._counted.messages += data.count(b'"type":"event"')
        if self._watched:
            now = datetime.now(UTC)
            for said_at in _SAID_AT.findall(data):
                self._counted.lags.append((now - datetime.fromisoformat(said_at.decode())).total_seconds())

    def connection_lost(self, _exc: Exception | None) -> None:
        self._counted.ended += 1


@dataclass(frozen=True, slots=True)
class Installation:
    """What runs in other processes."""

    port: int
    mqtt_port: int
    controller: psutil.Process
    http: httpx.AsyncClient


@asynccontextmanager
async def installation(folder: Path) -> AsyncIterator[Installation]:
    """`orion up`, in a folder of its own."""
    ports = {name: free_port() for name in ("HTTP_PORT", "MQTT_PORT", "MQTT_TLS_PORT")}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORION_")}
    environment |= {f"ORION_{name}": str(port) for name, port in ports.items()}
    environment |= {"ORION_DATA_DIR": str(folder), "OLLAMA_HOST": "http://127.0.0.1:9"}
    up = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "orion", "up", "--json", env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert up.stdout is not None
        async with asyncio.timeout(READY_WITHIN):
            await up.stdout.readline()
        token = await asyncio.to_thread((folder / "controller" / "token").read_text)
        children = psutil.Process(up.pid).children(recursive=True)
        controller = next(each for each in children if "controller" in each.cmdline())
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{ports['HTTP_PORT']}/api/v1/",
            headers={"Authorization": f"Bearer {token.strip()}"},
            timeout=30.0,
        ) as client:
            yield Installation(ports["HTTP_PORT"], ports["MQTT_PORT"], controller, client)
    finally:
        up.terminate()
        await up.wait()


async def tokens(running: Installation) -> list[str]:
    """Those of some users who have signed in; each sees everything, and only their own words whole."""
    found = []
    for number in range(USERS):
        name = f"reader-{number}"
        await running.http.post("users", json={"username": name, "role": "viewer"})
        await running.http.put(f"users/{name}/password", json={"password": PASSWORD})
        form = {"grant_type": "password", "username": name, "password": PASSWORD}
        answer = await running.http.post("auth/token", data=form)
        if answer.status_code == 400:  # the password was for once
            answer = await running.http.post("auth/token", data=form | {"new_password": PASSWORD + "!"})
        found.append(answer.raise_for_status().json()["access_token"])
    return found


async def saying(running: Installation, device: dict[str, Any], counted: Counted) -> None:
    """One device that says so many events in a second, until it is cancelled."""
    mqtt = device["mqtt"]
    async with aiomqtt.Client(
        "127.0.0.1", running.mqtt_port, username=mqtt["username"], password=mqtt["password"],
        identifier=mqtt["client_id"], protocol=aiomqtt.ProtocolVersion.V5,
    ) as client:  # fmt: skip
        due = time.monotonic()
        while True:
            event = Event(
                id=new_id(), type="high_cpu_usage", severity=Severity.WARNING, data={"percent": 97.5},
                at=datetime.now(UTC),
            )  # fmt: skip
            await client.publish(f"orion/v1/devices/{mqtt['username']}/event", event.encode(), qos=1)
            counted.said += 1
            due += 1 / PER_DEVICE
            await asyncio.sleep(max(0.0, due - time.monotonic()))


async def read_all(
    running: Installation, bearers: Sequence[str], counted: Counted, count: int, *, upgraded: bool
) -> list[Figure]:
    """So many readers, and what they and the controller had to do."""
    loop = asyncio.get_running_loop()
    lines = []
    for number in range(count):
        head = (
            f"GET /api/v1/stream?types=event HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n"
            f"Authorization: Bearer {bearers[number % len(bearers)]}\r\n{UPGRADE if upgraded else ''}\r\n"
        )
        make = partial(Reading, head.encode(), counted, watched=number % 100 == 0)
        lines.append((await loop.create_connection(make, "127.0.0.1", running.port))[0])
    async with asyncio.timeout(READY_WITHIN):
        while counted.open < count:
            await asyncio.sleep(0.05)
    await asyncio.sleep(WARM_UP)
    counted.said, counted.messages, counted.lags, counted.ended = 0, 0, [], 0
    began, before = time.monotonic(), running.controller.cpu_times()
    await asyncio.sleep(MEASURED)
    after, seconds = running.controller.cpu_times(), time.monotonic() - began
    used = (after.user + after.system - before.user - before.system) / seconds
    memory = running.controller.memory_info().rss / 1e6
    dropped, counted.open = counted.ended, 0
    for line in lines:
        line.close()
    rate = counted.messages / seconds / count
    wanted = counted.said / seconds
    lag = Spread.of([each * 1e3 for each in counted.lags])
    kind = "WebSocket" if upgraded else "Server-Sent Events"
    return [
        Figure(
            f"{kind}: {count} readers, messages/s for each",
            f"{rate:.1f}",
            f"said by devices: {wanted:.1f}",
            rate / wanted,
            "all of them",
            rate >= 0.98 * wanted and dropped == 0,
        ),
        Figure(f"{kind}: controller's processor", f"{100 * used:.0f} % of one core, {memory:.0f} MB", goal="one core", met=used < 1.0),
        Figure(f"{kind}: from the store to the reader", f"{lag.said('ms')}, p99 {percentile(counted.lags, 99) * 1e3:.0f}"),
    ]  # fmt: skip


async def measure(readers: int) -> list[Figure]:
    """Both kinds of line, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        async with installation(Path(folder)) as running:
            bearers = await tokens(running)
            devices = [
                (await running.http.post("devices", json={"device_id": f"device-{number}"})).json()
                for number in range(DEVICES)
            ]
            counted = Counted()
            talking = [asyncio.create_task(saying(running, device, counted)) for device in devices]
            figures = []
            for upgraded in (False, True):
                kind = "WebSockets" if upgraded else "Server-Sent Events"
                with console.status(f"{readers} readers by {kind}"):
                    figures += await read_all(running, bearers, counted, readers, upgraded=upgraded)
                await asyncio.sleep(1.0)
            for each in talking:
                each.cancel()
            await asyncio.wait(talking)
    return figures


def main() -> int:
    """Measure; the exit code says only whether it could be measured."""
    parser = argparse.ArgumentParser(prog="bench.live", description=__doc__)
    parser.add_argument("--readers", type=int, default=READERS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(measure(given.readers))
    if given.json:
        print(json.dumps([[each.what, each.value, each.met] for each in figures]))
        return 0
    table = Table("what", "value", "beside", "ratio", "goal")
    for each in figures:
        mark = "" if each.met is None else (" ✓" if each.met else " ✗")
        table.add_row(
            each.what,
            each.value,
            each.baseline,
            "" if each.ratio is None else f"{each.ratio:.2f}",
            each.goal + mark,
        )
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
