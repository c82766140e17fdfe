"""The whole HTTP application on a real store; the broker is away unless a test brings one."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from broker.session import Endpoint
from controller.api import app, token
from controller.api.access.buckets import Quota
from controller.api.access.deviceflow import DeviceFlow
from controller.api.access.doorkeeper import Doorkeeper
from controller.api.access.passes import Passes
from controller.api.deps import Parts
from controller.api.lately import Lately
from controller.api.live.hub import Hub
from controller.api.live.websocket import Door
from controller.archivist import Archivist
from controller.assistant.chat import Assistant
from controller.assistant.offline import Planner
from controller.assistant.providers.ollama import Ollama, OllamaConfig
from controller.cleaner import Cleaner
from controller.instruments import Instruments
from controller.mqtt.inbox import Inbox, utc_now
from controller.mqtt.link import Link
from controller.mqtt.outbox import Outbox
from controller.mqtt.warden import Warden
from controller.notary import Notary
from controller.services import devices
from controller.services.replies import Replies
from controller.services.retention import Keep
from controller.settings import ControllerSettings, ModelSettings
from controller.store import notices
from controller.store.keyring import KeyRing
from controller.store.store import Session, Store
from controller.store.tokenring import TokenRing
from schemas.spans import Spans
from schemas.topics import Topics
from tests.controller.api import documented
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile

NO_MODEL = "http://127.0.0.1:9"  # nothing listens there
NO_BROKER = Endpoint("127.0.0.1", 9, "controller-main", "x")


async def _as_described(answer: httpx.Response) -> None:
    await answer.aread()
    documented.check(answer)


AS_DESCRIBED = {"response": [_as_described]}  # every answer that a test gets is held to the description


@dataclass(frozen=True, slots=True)
class Api:
    """The application, its store, and a client with the administrator's token."""

    app: FastAPI
    store: Store
    http: httpx.AsyncClient
    token: str


@pytest.fixture(scope="session")
def planner() -> Planner:
    """Reading the grammar takes a while, and it never changes."""
    return Planner()


@pytest.fixture
async def api(store: Store, database_url: str, tmp_path: Path, planner: Planner) -> AsyncIterator[Api]:
    """The API as the controller builds it, called without a socket between."""
    settings = ControllerSettings(
        data_dir=tmp_path,
        endpoint=NO_BROKER,
        database_url=database_url,
        model=ModelSettings(host=NO_MODEL),
        identities_dir=tmp_path / "broker",
        cert_port=9,
        http_names=("orion",),
    )
    topics, replies = Topics(), Replies()
    keyring = KeyRing(settings.keys_path, utc_now)
    await asyncio.to_thread(keyring.open)
    ring = TokenRing(settings.token_keys_path, utc_now, issuer="orion/main")
    await asyncio.to_thread(ring.open)
    instruments = Instruments()
    outbox = Outbox(store, topics, instance="main", instruments=instruments)
    inbox = Inbox(store, outbox, topics, instruments=instruments)
    link = Link(NO_BROKER, instance="main", topics=topics, inbox=inbox, outbox=outbox)
    warden = Warden(store, inbox.floods, None, pause_s=300.0, gone=outbox.say_gone, back=link.look_again)
    provider = Ollama(OllamaConfig(model="none", host=NO_MODEL))

    live = Hub(store)

    store.listen(lambda heard: notices.tell(heard, (replies.hear, instruments.hear, live.hear)))
    doorkeeper = Doorkeeper(store, ring, clock=time.monotonic, now=utc_now)
    async with asyncio.TaskGroup() as tasks:
        cleaner = Cleaner(store, Keep(), keys=lambda: keyring.known)
        archivist = Archivist(store, keyring, cleaner, instance=settings.instance)
        owner = await asyncio.to_thread(token.ensure, settings.token_path)
        parts = Parts(
            settings=settings,
            store=store,
            replies=replies,
            devices_door=link,
            cleaner=cleaner,
            archivist=archivist,
            warden=warden,
            assistant=Assistant(store, replies, planner, provider, fast_path=False, overhear=live.overhear),
            keyring=keyring,
            notary=Notary(store, keyring, settings.heads_path, instance=settings.instance),
            administration=None,
            token=owner,
            doorkeeper=doorkeeper,
            device_flow=DeviceFlow(
                store, doorkeeper, public_url=settings.public_url, clock=time.monotonic, now=utc_now
            ),
            instruments=instruments,
            spans=Spans(),
            elsewhere=None,
            passes=Passes(ring, owner),
            live=live,
            door=Door(),
            tasks=tasks,
            lately=Lately(store.freshness, time.monotonic),
            quota=Quota(time.monotonic, rate=settings.api_rate, burst=settings.api_burst),
        )
        built = await asyncio.to_thread(app.build, parts)
        transport = httpx.ASGITransport(built, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {parts.token}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://orion/api/v1/", headers=headers, event_hooks=AS_DESCRIBED
        ) as client:
            yield Api(built, store, client, parts.token)
    await provider.close()


@pytest.fixture
async def laptop(api: Api) -> str:
    """An adopted device that is online, as the registry has it."""

    def place(session: Session) -> None:
        devices.add(session, a_place(), actor=ADMIN, now=NOON)
        devices.store_profile(session, "laptop", a_profile(), now=NOON)
        devices.store_presence(session, "laptop", a_presence(), now=NOON)

    await api.store.write(place)
    return "laptop"
