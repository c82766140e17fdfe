"""Broker, controller and API as one, for tests that tell a whole story."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from broker.session import Endpoint
from controller import app
from controller.settings import ControllerSettings, ModelSettings
from controller.store import engine
from device_node import app as node
from device_node.settings import NodeSettings
from tests.broker.running import RunningBroker

NO_MODEL = "http://127.0.0.1:9"  # nothing listens there
START_WITHIN = 20.0  # seconds


def database_for(folder: Path) -> str:
    """The URL of the database of an installation in this folder."""
    return engine.sqlite_url(folder / "orion.db")


@dataclass(frozen=True, slots=True)
class Installation:
    """A controller that is ready, and a client with the administrator's token."""

    broker: RunningBroker
    settings: ControllerSettings
    http: httpx.AsyncClient

    async def ask(self, text: str, **more: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Say something; the streamed responses, and the report."""
        async with self.http.stream("POST", "ask", json={"text": text, **more}) as answer:
            answer.raise_for_status()
            lines = [json.loads(line) async for line in answer.aiter_lines()]
        return lines[:-1], lines[-1]

    async def add_device(self, device_id: str, **more: Any) -> dict[str, Any]:
        """Prepare a place; what the device must use to connect."""
        answer = await self.http.post("devices", json={"device_id": device_id, **more})
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added

    async def until_online(self, device_id: str) -> None:
        """Wait until the controller believes that the device is there."""
        await self.until_status(device_id, "online")

    async def until_status(self, device_id: str, status: str) -> None:
        """Wait until that is what the controller believes of the device."""
        async with asyncio.timeout(START_WITHIN):
            while (await self.http.get(f"devices/{device_id}")).json()["status"] != status:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def installation(
    broker: RunningBroker,
    data_dir: Path,
    *,
    model: ModelSettings | None = None,
    heartbeat_s: float = 30.0,
    **more: Any,
) -> AsyncIterator[Installation]:
    """Run a controller on this broker until the block ends."""
    settings = ControllerSettings(
        data_dir=data_dir,
        endpoint=broker.controller,
        identities_dir=broker.settings.directory,
        database_url=await asyncio.to_thread(database_for, data_dir),
        http_port=0,
        heartbeat_s=heartbeat_s,
        model=model or ModelSettings(host=NO_MODEL),
        **more,
    )
    async with running_controller(settings) as client:
        yield Installation(broker, settings, client)


@asynccontextmanager
async def running_controller(settings: ControllerSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A controller that is ready, on whatever broker, and a client with its administrator's token."""
    stop = asyncio.Event()
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(app.run(settings, stop, ready.set_result), name="controller")
    try:
        async with asyncio.timeout(START_WITHIN):
            await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        token = await asyncio.to_thread(settings.token_path.read_text)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{ready.result()}/api/v1/",
            headers={"Authorization": f"Bearer {token.strip()}"},
            timeout=30,
        ) as client:
            yield client
    finally:
        stop.set()
        await running


@dataclass(frozen=True, slots=True)
class RunningNode:
    """Our own node, acting on real files in `folder`."""

    device_id: str
    folder: Path


@asynccontextmanager
async def running_node(
    orion: Installation, data_dir: Path, device_id: str = "laptop", **place: Any
) -> AsyncIterator[RunningNode]:
    """A node with a place, adopted, online; it may change one folder."""
    folder = data_dir / "files"
    policy = data_dir / "policy.toml"
    await asyncio.to_thread(folder.mkdir, parents=True)
    await asyncio.to_thread(policy.write_text, f"allowed_paths = ['{folder}']\n")
    added = await orion.add_device(device_id, adopt=True, **place)
    connection = added["mqtt"]
    settings = NodeSettings(
        data_dir=data_dir / "node-data",
        device_id=device_id,
        endpoint=Endpoint(connection["host"], connection["port"], device_id, connection["password"]),
        policy_path=policy,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(node.run(settings, stop), name="node")
    try:
        await orion.until_online(device_id)
        yield RunningNode(device_id, folder)
    finally:
        stop.set()
        await running
