"""A whole installation as people start it, with a hundred devices in its books, for as long as it is measured."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import Session

from bench.stand import ACTOR, START_WITHIN, free_port
from controller.services import devices
from controller.store import engine
from controller.store.store import Store
from schemas import builtin
from schemas.devices import Heartbeat, Presence, Profile

DEVICES = 100
NODE = "node"


@dataclass(frozen=True, slots=True)
class Installation:
    """Where it is reached."""

    port: int
    token: str
    files: Path


@asynccontextmanager
async def installation(data_dir: Path) -> AsyncIterator[Installation]:
    """Broker, controller and one node, up; beside the node as many devices as make a hundred."""
    await asyncio.to_thread(_fill, data_dir / "controller")
    port = free_port()
    settings = {
        "DATA_DIR": str(data_dir),
        "HTTP_PORT": str(port),
        "MQTT_PORT": str(free_port()),
        "MQTT_TLS_PORT": "0",
        "DEVICE_ID": NODE,
        "API_RATE": "0",  # it is the speed that is measured
        "BACKUP_HOURS": "0",
        "LOG_LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "orion", "up", "--json"),
        env={**os.environ, **{f"ORION_{name}": value for name, value in settings.items()}},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_WITHIN):
            while json.loads(await process.stdout.readline()).get("state") != "ready":
                pass
        token = (data_dir / "controller" / "token").read_text(encoding="ascii").strip()
        yield Installation(port, token, data_dir / "files")
    finally:
        process.terminate()
        await process.wait()


def _fill(directory: Path) -> None:
    directory.mkdir(parents=True)
    store = Store(engine.sqlite_url(directory / "orion.db"))
    store.open()
    try:
        asyncio.run(store.write(_places))
    finally:
        store.close()


def _places(session: Session) -> None:
    now, tools = datetime.now(UTC), list(builtin.TOOLS.values())
    for number in range(DEVICES - 1):
        device_id = f"laptop-{number:03}"
        new = devices.NewDevice(
            device_id,
            name=f"Laptop {number}",
            aliases=(f"l{number}",),
            groups=("office", f"floor-{number % 7}"),
            area="Office",
            adopt_first=True,
        )
        devices.add(session, new, actor=ACTOR, now=now)
        profile = Profile(
            device_id=device_id, boot_id="b", tools=tools, at=now, hostname=f"{device_id}.local"
        )
        devices.store_profile(session, device_id, profile, now=now)
        devices.store_presence(session, device_id, Presence(state="online", at=now, boot_id="b"), now=now)
        beat = Heartbeat(at=now, seq=1, boot_id="b", cpu_percent=3.5, memory_percent=41.0)
        devices.store_heartbeat(session, device_id, beat, now=now)
