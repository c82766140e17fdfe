"""A supervised broker as tests use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.identities import Identities, await_active
from broker.rights import Role
from broker.session import Endpoint
from broker.settings import BrokerSettings
from broker.supervisor import Supervisor, supervised
from schemas.topics import Topics
from tests.ports import free_port


def endpoint_of(settings: BrokerSettings, username: str, password: str | None) -> Endpoint:
    return Endpoint(settings.host, settings.port, username, password)


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """A broker that works, and how to get into it."""

    supervisor: Supervisor
    settings: BrokerSettings
    identities: Identities
    topics: Topics
    controller: Endpoint  # its username is `controller-main`, and so must be the client id

    def endpoint(self, username: str, password: str | None) -> Endpoint:
        return endpoint_of(self.settings, username, password)

    async def add_device(self, device_id: str) -> Endpoint:
        """A place for a device; returns once the broker lets it in."""
        password = await asyncio.to_thread(self.identities.add_device, device_id)
        endpoint = self.endpoint(device_id, password)
        await await_active(endpoint)
        return endpoint

    async def add_debug_user(self, name: str = "debug.test") -> Endpoint:
        password = await asyncio.to_thread(self.identities.add_user, name, Role.DEBUG)
        endpoint = self.endpoint(name, password)
        await await_active(endpoint)
        return endpoint


@asynccontextmanager
async def running_broker(
    data_dir: Path, *, port: int | None = None, **more: Any
) -> AsyncIterator[RunningBroker]:
    settings = BrokerSettings(data_dir=data_dir, port=port or free_port(), **more)
    async with supervised(settings) as supervisor:
        credentials = await asyncio.to_thread(supervisor.identities.ensure)
        controller = Endpoint(settings.host, settings.port, credentials.username, credentials.password)
        await await_active(controller)
        yield RunningBroker(supervisor, settings, supervisor.identities, Topics(settings.prefix), controller)
