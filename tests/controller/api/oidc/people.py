"""People who sign in with a provider."""

import asyncio

import httpx

from controller.services import identities, users
from controller.services.users import UserRole
from controller.store.store import Session
from tests.controller.api.oidc.conftest import CALLBACK, LOGIN, Door
from tests.factories import ADMIN, NOON
from tests.provider import MIA, vouched


async def a_user(door: Door, name: str = "mia", *, subject: str | None = MIA) -> None:
    """Somebody without a password, linked to a person at the provider or not."""

    def add(session: Session) -> None:
        users.add(session, name, UserRole.OPERATOR, actor=ADMIN, now=NOON)
        session.flush()
        if subject is not None:
            identities.link(session, name, door.issuer, subject, actor=ADMIN, now=NOON)

    await door.api.store.write(add)


async def came_back(door: Door, browser: httpx.AsyncClient, subject: str = MIA, **query: str) -> str:
    """Where a person's browser is sent back to, who went to the provider from our door."""
    away = await browser.get(LOGIN, params=query)
    assert away.status_code == 303, away.text
    return await asyncio.to_thread(vouched, away.headers["location"], CALLBACK, subject)


async def signed_in(door: Door, subject: str = MIA) -> httpx.Response:
    """What comes of the whole way, in a new browser."""
    async with door.browser() as browser:
        return await browser.get(await came_back(door, browser, subject))
