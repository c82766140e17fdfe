"""A broker under either administration, as the tests of both use it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from broker.administration import Administration
from broker.identities import Local
from broker.session import Endpoint, PublishRefused, Received, Session, SubscribeRefused, Subscription
from tests.broker.remote import remote_broker
from tests.broker.running import running_broker

FILES, DYNSEC = "files", "dynsec"
HEARD_WITHIN = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Administered:
    """A broker that works, whoever administers it."""

    kind: str
    administration: Administration
    controller: Endpoint
    folder: Path

    def endpoint(self, username: str, password: str | None) -> Endpoint:
        return replace(self.controller, username=username, password=password)

    async def device(self, device_id: str) -> Endpoint:
        return self.endpoint(device_id, await self.administration.add_device(device_id))


@asynccontextmanager
async def administered_broker(kind: str, folder: Path) -> AsyncIterator[Administered]:
    async with AsyncExitStack() as stack:
        if kind == FILES:
            ours = await stack.enter_async_context(running_broker(folder))
            local = Local(ours.identities, ours.controller)
            yield Administered(kind, local, ours.controller, ours.settings.directory)
        else:
            theirs = await stack.enter_async_context(remote_broker(folder))
            yield Administered(kind, theirs.administration, theirs.controller, folder)


@asynccontextmanager
async def joined(endpoint: Endpoint, *, session_expiry_s: int = 0) -> AsyncIterator[Session]:
    """A session in its owner's name."""
    session = Session(endpoint, client_id=endpoint.username or "", session_expiry_s=session_expiry_s)
    await session.connect()
    try:
        yield session
    finally:
        await session.close()


async def ask_for(session: Session, filters: Iterable[str]) -> set[str]:
    """Subscribe to each by itself; those that the broker granted."""
    granted = set()
    for each in filters:
        try:
            await session.subscribe([Subscription(each)])
        except SubscribeRefused:
            continue
        granted.add(each)
    return granted


async def tell(session: Session, topics: Iterable[str], payload: bytes = b"{}") -> set[str]:
    """Publish on each; those that the broker took."""
    taken = set()
    for topic in topics:
        try:
            await session.publish(topic, payload)
        except PublishRefused:
            continue
        taken.add(topic)
    return taken


async def heard_until(session: Session, payload: bytes) -> list[Received]:
    """What arrives before a last message."""
    got: list[Received] = []
    while True:
        for message in await session.receive(1):
            session.ack(message)
            if message.payload == payload:
                return got
            got.append(message)
