"""A database that is locked, full, read-only or gone for a while: devices stay, nothing confirmed is lost."""

import asyncio
import json
import shutil
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from controller.api import readiness
from controller.settings import ControllerSettings, ModelSettings
from controller.store import engine
from tests.broker.running import RunningBroker
from tests.disks import Disk, small_disk
from tests.flows.installation import NO_MODEL, Installation, running_controller
from tests.flows.pump import Pump, now
from tests.postgres import Cluster, cluster

WITHIN = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Trouble:
    """A database, and how it gets into trouble and out of it. `readable`: it can be asked all the while."""

    url: str
    begin: Callable[[], Awaitable[None]]
    end: Callable[[], Awaitable[None]]
    readable: bool


@asynccontextmanager
async def locked(folder: Path) -> AsyncIterator[Trouble]:
    """Another program has begun to write and does not end."""
    path = folder / "orion.db"
    other: list[sqlite3.Connection] = []

    def begin() -> None:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.execute("BEGIN IMMEDIATE")
        other.append(connection)

    async def end() -> None:
        await asyncio.to_thread(other.pop().close)

    yield Trouble(engine.sqlite_url(path), lambda: asyncio.to_thread(begin), end, readable=True)


@asynccontextmanager
async def full(folder: Path) -> AsyncIterator[Trouble]:
    """Its disk has no room left, and what it wrote over is used up."""
    async with small_disk(folder / "disk") as disk:
        path = disk.path / "orion.db"
        yield Trouble(engine.sqlite_url(path), lambda: _fill(disk, path), disk.free, readable=True)


async def _fill(disk: Disk, path: Path) -> None:
    await disk.fill()

    def use_up() -> None:
        connection = sqlite3.connect(path, timeout=30)
        with suppress(sqlite3.OperationalError):  # full, at last
            connection.execute("CREATE TABLE filler (words TEXT)")
            for _ in range(1_000):
                connection.execute("INSERT INTO filler VALUES (?)", ("x" * 50_000,))
                connection.commit()
        connection.close()

    await asyncio.to_thread(use_up)


@asynccontextmanager
async def gone(_folder: Path) -> AsyncIterator[Trouble]:
    """The server was killed."""
    with cluster() as running:
        yield Trouble(
            running.url(running.create()),
            lambda: asyncio.to_thread(running.stop),
            lambda: asyncio.to_thread(running.start),
            readable=False,
        )


@asynccontextmanager
async def read_only(_folder: Path) -> AsyncIterator[Trouble]:
    """The server takes no changes, as one that stands by does."""
    with cluster() as running:
        url = running.url(running.create())
        yield Trouble(
            url,
            lambda: asyncio.to_thread(_protect, running, "on"),
            lambda: asyncio.to_thread(_protect, running, "off"),
            readable=True,
        )


def _protect(running: Cluster, how: str) -> None:
    url = running.url("postgres").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {how}".encode())
        connection.execute("SELECT pg_reload_conf()")
    while True:  # who is let in with it comes after everybody else was told
        with psycopg.connect(url, autocommit=True) as connection:
            if connection.execute("SHOW default_transaction_read_only").fetchone() == (how,):
                return


@asynccontextmanager
async def for_new_sessions(_folder: Path) -> AsyncIterator[Trouble]:
    """The server takes no changes from whoever comes in meanwhile, as long as they stay."""
    with cluster() as running:
        name = running.create()

        def shut() -> None:
            with psycopg.connect(running.url(name).replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s",
                    (name,),
                )

        def open_again() -> None:
            with psycopg.connect(running.url("postgres").replace("+psycopg", ""), autocommit=True) as other:
                other.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())

        url = running.url(name)
        yield Trouble(
            url, lambda: asyncio.to_thread(shut), lambda: asyncio.to_thread(open_again), readable=True
        )


class Talking(Pump):
    """A pump that notices things, and counts how often its line broke."""

    def __init__(self, mqtt_place: dict[str, Any]) -> None:
        super().__init__(mqtt_place)
        self.breaks = 0
        self.client.on_disconnect = self.on_disconnect

    def on_disconnect(self, *_what: object) -> None:
        self.breaks += 1

    def tell(self) -> str:
        """Report something; its id."""
        event = {"id": str(uuid.uuid4()), "type": "dry", "severity": "warning", "data": {}, "at": now()}
        self.client.publish(f"{self.base}/event", json.dumps(event), 1)
        return str(event["id"])

    def is_acked(self, event: str) -> bool:
        return any(event in ack.get("events", ()) for ack in list(self.acks))

    async def until_acked(self, event: str) -> None:
        async with asyncio.timeout(WITHIN):
            while not self.is_acked(event):
                await asyncio.sleep(0.02)


async def until_ready(http: httpx.AsyncClient, database: str) -> httpx.Response:
    """What the controller says of itself once its database is so: `ok` or `down`."""
    address = http.base_url.copy_with(path="/readyz")
    async with asyncio.timeout(WITHIN):
        while (answer := await http.get(address)).json()["checks"]["database"]["state"] != database:
            await asyncio.sleep(0.02)
    return answer


async def water(http: httpx.AsyncClient, minutes: int) -> httpx.Response:
    order = {"device_id": "pump", "tool": "water_garden", "arguments": {"minutes": minutes}}
    return await http.post("commands", json=order, headers={"Prefer": "wait=10"})


@pytest.mark.parametrize("kind", [locked, full, gone, read_only, for_new_sessions])
async def test_devices_stay_connected_and_nothing_that_was_confirmed_is_lost(
    broker: RunningBroker,
    tmp_path: Path,
    kind: Callable[[Path], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readiness, "CHANGES_KEPT", 0.1)
    async with kind(tmp_path) as trouble:
        settings = ControllerSettings(
            data_dir=tmp_path / "data",
            endpoint=broker.controller,
            identities_dir=broker.settings.directory,
            database_url=trouble.url,
            http_port=0,
            model=ModelSettings(host=NO_MODEL),
        )
        async with running_controller(settings) as http:
            orion = Installation(broker, settings, http)
            pump = Talking((await orion.add_device("pump", adopt=True))["mqtt"])
            await asyncio.to_thread(pump.start)
            await orion.until_online("pump")
            before = (await water(http, 1)).json()
            assert before["status"] == "succeeded"
            assert (await until_ready(http, "ok")).json()["checks"]["broker"] == {"state": "ok"}

            await trouble.begin()
            refused = await water(http, 2)
            event = pump.tell()
            looked = await http.get("devices/pump")
            examined = await http.get("system/doctor")

            assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE, refused.text
            assert "Something went wrong" not in refused.json()["detail"]
            assert looked.is_success == trouble.readable
            if trouble.readable:
                assert looked.json()["status"] == "online"

            if kind is not full:  # a change that needs no more room may still be taken
                assert examined.json()["database"]["trouble"].startswith("The database ")
            assert (examined.json()["devices"] is None) != trouble.readable

            assert (await until_ready(http, "down")).status_code == httpx.codes.SERVICE_UNAVAILABLE

            await trouble.end()
            await until_ready(http, "ok")
            await pump.until_acked(event)
            after = (await water(http, 3)).json()

            assert after["status"] == "succeeded"
            assert (await http.get(f"commands/{before['command_id']}")).json()["status"] == "succeeded"
            stored = (await http.get("events", params={"type": "dry"})).json()["items"]
            assert [each["event_id"] for each in stored] == [event]
            # what was refused never left, and the line held all the while
            assert [each["arguments"]["minutes"] for each in pump.ran] == [1, 3]
            assert pump.breaks == 0
            await asyncio.to_thread(pump.stop)


async def test_a_controller_whose_file_was_taken_away_or_replaced_is_not_ready(
    broker: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "CHANGES_KEPT", 0.1)
    path = tmp_path / "orion.db"
    settings = ControllerSettings(
        data_dir=tmp_path / "data",
        endpoint=broker.controller,
        identities_dir=broker.settings.directory,
        database_url=engine.sqlite_url(path),
        http_port=0,
        model=ModelSettings(host=NO_MODEL),
    )
    async with running_controller(settings) as http:
        await until_ready(http, "ok")
        await asyncio.to_thread(path.rename, tmp_path / "elsewhere.db")
        await until_ready(http, "down")
        await asyncio.to_thread(shutil.copy, tmp_path / "elsewhere.db", path)
        assert (await until_ready(http, "down")).json()["checks"]["database"]["why"]
        await asyncio.to_thread((tmp_path / "elsewhere.db").replace, path)
        await until_ready(http, "ok")
