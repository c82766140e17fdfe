"""A whole installation for measuring: broker, the controller's parts in this process, peers in theirs."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session as DbSession

from broker.identities import Identities, Local, await_active
from broker.session import Endpoint
from broker.settings import BrokerSettings
from broker.supervisor import supervised
from controller.mqtt.inbox import Inbox
from controller.mqtt.link import Link
from controller.mqtt.meter import Allowance
from controller.mqtt.outbox import Outbox
from controller.mqtt.trust import Trust
from controller.mqtt.warden import Warden
from controller.pacer import Pacer
from controller.services import devices
from controller.services.actors import Actor, Role
from controller.services.replies import Replies
from controller.store import engine
from controller.store.keyring import KeyRing
from controller.store.notices import Notice
from controller.store.store import Store
from schemas.commands import Via
from schemas.signing import Signer
from schemas.topics import Topics

ACTOR = Actor("bench", Role.ADMIN, Via.API)
START_WITHIN = 20.0  # seconds
PAUSE = 300.0  # seconds that a device which floods is shut out: longer than any measurement


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as trial:
        port: int = trial.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Stand:
    """The parts a measurement uses."""

    store: Store
    replies: Replies
    controller: Endpoint
    topics: Topics
    data_dir: Path
    identities: Identities
    keyring: KeyRing

    @property
    def files(self) -> Path:
        """Where the nodes may work."""
        return self.data_dir / "files"


@asynccontextmanager
async def stand(data_dir: Path, *, allowance: Allowance | None = None) -> AsyncIterator[Stand]:
    """Broker and controller up; nodes are `joined`."""
    settings = BrokerSettings(data_dir=data_dir, port=free_port())
    async with supervised(settings) as supervisor:
        identities = supervisor.identities
        kept = await asyncio.to_thread(identities.ensure)
        endpoint = Endpoint(settings.host, settings.port, kept.username, kept.password)
        await await_active(endpoint)
        store = Store(engine.sqlite_url(data_dir / "bench.db"))
        await asyncio.to_thread(store.open)
        topics, replies = Topics(settings.prefix), Replies()
        keyring = KeyRing(data_dir / "keys" / "keys.json", _now)
        await asyncio.to_thread(keyring.open)
        trust = Trust(store, allow_unsigned=True, now=_now)
        outbox = Outbox(store, topics, instance="main", keyring=keyring)
        inbox = Inbox(store, outbox, topics, trust=trust, allowance=allowance)
        link = Link(endpoint, instance="main", topics=topics, inbox=inbox, outbox=outbox)
        warden = Warden(
            store,
            inbox.floods,
            Local(identities, endpoint),
            pause_s=PAUSE,
            gone=outbox.say_gone,
            back=link.look_again,
        )
        pacer = Pacer(store)

        def hear(notices: list[Notice]) -> None:
            for notice in notices:
                trust.hear(notice)
                inbox.hear(notice)
                outbox.hear(notice)
                replies.hear(notice)
                pacer.hear(notice)

        store.listen(hear)
        stop = asyncio.Event()
        linked = asyncio.create_task(link.run(stop), name="link")
        pacing = asyncio.create_task(pacer.run(), name="pacer")
        guarding = asyncio.create_task(warden.run(), name="warden")
        running = Stand(store, replies, endpoint, topics, data_dir, identities, keyring)
        running.files.mkdir()
        try:
            yield running
        finally:
            stop.set()
            await linked
            pacing.cancel()
            guarding.cancel()
            await asyncio.wait((pacing, guarding))
            await asyncio.to_thread(store.close)


@asynccontextmanager
async def joined(stand: Stand, device_id: str, data_dir: Path) -> AsyncIterator[int]:
    """A node with its journal in `data_dir`, enrolled, adopted and online; its process id."""
    password = await asyncio.to_thread(stand.identities.add_device, device_id)
    place = Endpoint(stand.controller.host, stand.controller.port, device_id, password)
    await await_active(place)
    new = devices.NewDevice(device_id, adopt_first=True)
    signer = Signer.generate()

    def place_it(session: DbSession) -> None:
        devices.add(session, new, actor=ACTOR, now=_now())
        devices.enrol(session, device_id, signer.public, actor=ACTOR, now=_now())

    await stand.store.write(place_it)
    policy = stand.data_dir / "policy.toml"
    policy.write_text(f"allowed_paths = ['{stand.files}']\n")
    wanted = {
        "be": "node",
        "endpoint": asdict(place) | {"tls": None},
        "data_dir": str(data_dir),
        "policy": str(policy),
        "signs_with": signer.secret,
        "believes": [key.model_dump(mode="json") for key in stand.keyring.keys],
    }
    async with peer(wanted, until="") as process:
        await _until_online(stand.store, device_id)
        yield process.pid


@asynccontextmanager
async def peer(wanted: dict[str, Any], *, until: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of `bench.peer`; with `until` it has said that word before this returns."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.peer", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a peer needs its pipes")
    process.stdin.write(json.dumps(wanted).encode() + b"\n")
    try:
        if until:
            async with asyncio.timeout(START_WITHIN):
                await process.stdout.readline()
        yield process
    finally:
        process.stdin.close()
        await process.wait()


def _now() -> datetime:
    return datetime.now(UTC)


async def _until_online(store: Store, device_id: str) -> None:
    async with asyncio.timeout(START_WITHIN):
        while (await store.read(lambda session: devices.get(session, device_id))).status != "online":
            await asyncio.sleep(0.02)
