"""An installation to be broken: broker, controller and nodes as processes, each behind its own line."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Select

from broker.identities import Identities, await_active
from broker.session import Endpoint
from broker.settings import BrokerSettings
from controller.store import engine
from schemas.signing import Signer
from schemas.topics import Topics
from tests.faults import disk, load
from tests.faults.ledger import Ledger
from tests.faults.orders import GROUP
from tests.faults.plan import BROKER, CONTROLLER, Plan, node_names
from tests.faults.programs import Program
from tests.faults.proxy import Proxy
from tests.faults.tap import Tap
from tests.faults.zygote import Zygote
from tests.ports import free_port

UP_WITHIN = 30.0  # seconds
HAND = "hand"  # the instance name of the harness's own identity


@dataclass(slots=True)
class Stand:
    """What a campaign works with."""

    folder: Path
    plan: Plan
    ledger: Ledger
    programs: dict[str, Program]
    proxies: dict[str, Proxy]
    client: httpx.AsyncClient
    tap: Tap
    nodes: list[str]
    small_disk: Path | None  # the last node's
    database: str  # the URL of the controller's
    notes: list[str] = field(default_factory=list)  # what could not be done

    @property
    def broker_directory(self) -> Path:
        return self.folder / "broker"

    def journal_of(self, node: str) -> Path:
        """The journal of one node."""
        return _data_dir(self.folder, node, self.small_disk, self.nodes) / "node" / node / "journal.db"


@asynccontextmanager
async def stand(
    driver: Zygote,
    folder: Path,
    plan: Plan,
    *,
    database: str,
    sabotage: str | None,
    died: Callable[[], None],
) -> AsyncIterator[Stand]:
    """Everything up, adopted and online, with nobody killed yet."""
    nodes = node_names(plan.size)
    ledger = Ledger()
    notes: list[str] = []
    async with AsyncExitStack() as stack:
        small = _small_disk(stack, folder, notes)
        settings = BrokerSettings(data_dir=folder, port=free_port())
        proxies = {name: Proxy(settings.port) for name in (CONTROLLER, *nodes)}
        for proxy in proxies.values():
            await proxy.open()
            stack.push_async_callback(proxy.close)
        running = await stack.enter_async_context(_tasks())
        programs: dict[str, Program] = {}

        async def start(order: dict[str, Any]) -> Program:
            name = order["tag"]
            order |= {
                "key": f"{folder}/{name}",
                "log": str(folder / f"{name}.log"),
                "sabotage": sabotage,
            }
            program = _program(driver, order, plan, ledger, died)
            programs[name] = program
            running.append(asyncio.create_task(program.run(), name=name))
            stack.push_async_callback(program.stop)
            await program.begin(UP_WITHIN)
            return program

        await start({"tag": BROKER, "be": "broker", "data_dir": str(folder), "port": settings.port})
        identities = Identities(settings.directory)
        controller = await _identity(identities, settings, "main")
        hand = await _identity(identities, settings, HAND)
        keys = folder / "controller" / "keys.json"
        tap = Tap(hand, Topics(settings.prefix), ledger, plan.seed, keys=keys)
        enough = asyncio.Event()
        running.append(asyncio.create_task(tap.run(enough), name="tap"))
        stack.callback(enough.set)
        async with asyncio.timeout(UP_WITHIN):
            await tap.hearing.wait()
        port = free_port()
        await start(
            {
                "tag": CONTROLLER,
                "be": "controller",
                "data_dir": str(folder),
                "endpoint": _through(controller, proxies[CONTROLLER]),
                "identities_dir": str(settings.directory),
                "database_url": database,
                "http_port": port,
            }
        )
        token = (folder / "controller" / "token").read_text(encoding="ascii").strip()
        client = await stack.enter_async_context(load.client(port, token))
        (folder / "policy.toml").write_text("allowed_paths = []\n", encoding="ascii")
        signers = [Signer.generate() for _ in nodes]
        places = [
            await _place(client, name, signer.public) for name, signer in zip(nodes, signers, strict=True)
        ]
        for name, signer, (password, believed) in zip(nodes, signers, places, strict=True):
            endpoint = Endpoint(settings.host, settings.port, name, password)
            await start(
                {
                    "tag": name,
                    "be": "node",
                    "endpoint": _through(endpoint, proxies[name]),
                    "data_dir": str(_data_dir(folder, name, small, nodes)),
                    "policy": str(folder / "policy.toml"),
                    "signing_secret": signer.secret,
                    "controller_keys": believed,
                    "marks": str(folder / "marks"),
                    "events": str(folder / "events"),
                    "event_every_s": plan.size.event_every_s,
                }
            )
        await _online(client, len(nodes))
        yield Stand(folder, plan, ledger, programs, proxies, client, tap, nodes, small, database, notes)


def _program(
    driver: Zygote, order: dict[str, Any], plan: Plan, ledger: Ledger, died: Callable[[], None]
) -> Program:
    name = order["tag"]
    device = name if name.startswith("node-") else None
    return Program(
        driver,
        order,
        plan.lives.get(name, ()),
        insist=plan.size.insist,
        in_flight=lambda: ledger.in_flight(device),
        died=died,
    )


def _small_disk(stack: AsyncExitStack, folder: Path, notes: list[str]) -> Path | None:
    try:
        return stack.enter_context(disk.small_disk(folder / "small"))
    except disk.NoMount as refused:
        notes.append(f"No disk was filled: {refused}. Run it as root.")
        return None


def _data_dir(folder: Path, name: str, small: Path | None, nodes: list[str]) -> Path:
    return small if small is not None and name == nodes[-1] else folder / name


async def _identity(identities: Identities, settings: BrokerSettings, instance: str) -> Endpoint:
    kept = await asyncio.to_thread(identities.ensure, instance)
    endpoint = Endpoint(settings.host, settings.port, kept.username, kept.password)
    await await_active(endpoint)
    return endpoint


def _through(endpoint: Endpoint, proxy: Proxy) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": proxy.port,
        "username": endpoint.username,
        "password": endpoint.password,
    }


async def _place(client: httpx.AsyncClient, name: str, public_key: str) -> tuple[str, list[Any]]:
    """An enrolled device's password, and the keys that it is to believe."""
    wanted = {"device_id": name, "adopt": True, "groups": [GROUP], "public_key": public_key}
    answer = await client.post("/devices", json=wanted)
    answer.raise_for_status()
    made = answer.json()
    return made["mqtt"]["password"], made["keys"]


async def _online(client: httpx.AsyncClient, count: int) -> None:
    async with asyncio.timeout(UP_WITHIN):
        while True:
            items = (await client.get("/devices")).json()["items"]
            if sum(item["status"] == "online" for item in items) == count:
                return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def _tasks() -> AsyncIterator[list[asyncio.Task[None]]]:
    """Tasks that end when the block does; one that failed says so here."""
    tasks: list[asyncio.Task[None]] = []
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


def journal_rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """What a node's journal says, without touching it."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
        return database.execute(query).fetchall()


def stored_rows(on: Stand, query: Select[Any]) -> list[Any]:
    """What the controller's database says, without touching it."""
    reader = engine.reader(on.database)
    try:
        with reader.connect() as connection:
            return list(connection.execute(query))
    finally:
        reader.dispose()
