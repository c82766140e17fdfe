"""The API with an identity provider beside it, and browsers that go from one to the other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from controller.api.access.oidc.passage import Passage
from controller.mqtt.inbox import utc_now
from controller.settings import OidcSettings
from tests import provider
from tests.controller.api.conftest import Api
from tests.provider import SECRET, RealProvider

HERE = "http://127.0.0.1:8180"  # as browsers find us
CALLBACK = f"{HERE}/api/v1/auth/oidc/callback"
LOGIN = "/api/v1/auth/oidc/login"


class Clock:
    """Seconds that a test moves."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Door:
    """The API with a provider set, and who goes there."""

    api: Api
    clock: Clock
    issuer: str

    def browser(self, base: str = HERE, **headers: str) -> httpx.AsyncClient:
        """Somebody's browser, which follows nothing by itself."""
        transport = httpx.ASGITransport(self.api.app, raise_app_exceptions=False)
        accepts = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
        return httpx.AsyncClient(transport=transport, base_url=base, headers=accepts | headers)


Set = Callable[..., Awaitable[Door]]


@pytest.fixture(scope="session")
def real() -> Iterator[RealProvider]:
    """oidc-provider, which knows a client of each kind."""
    methods = {"orion": "client_secret_basic", "posting": "client_secret_post", "public": "none"}
    clients = [provider.a_client(CALLBACK, name, method=method) for name, method in methods.items()]
    elliptic = provider.a_client(CALLBACK, "elliptic") | {"id_token_signed_response_alg": "ES256"}
    with provider.running(*clients, elliptic) as running:
        yield running


@pytest.fixture
async def set_provider(api: Api) -> AsyncIterator[Set]:
    """Sets a provider, as the controller does at its start. The last one counts."""
    async with AsyncExitStack() as closing:

        async def set_one(issuer: str, **settings: Any) -> Door:
            known = {"client_id": "orion", "client_secret": SecretStr(SECRET)} | settings
            oidc = OidcSettings(issuer=issuer, **known)
            parts, clock = api.app.state.parts, Clock()
            passage = await asyncio.to_thread(
                Passage, api.store, oidc, public_url=HERE, clock=clock, now=utc_now
            )
            closing.push_async_callback(passage.close)
            told = parts.settings.model_copy(update={"oidc": oidc})
            api.app.state.parts = replace(parts, settings=told, elsewhere=passage)
            return Door(api, clock, issuer)

        yield set_one


@pytest.fixture
async def door(set_provider: Set, real: RealProvider) -> Door:
    """The API with the real provider."""
    return await set_provider(real.issuer)
