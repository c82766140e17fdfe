"""People who sign in, for the tests of the API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
from sqlmodel import col, select

from controller.services import users
from controller.services.accounts import passwords
from controller.services.users import UserRole
from controller.store.store import Session
from controller.store.tables import AuditEntry
from tests.controller.api.conftest import AS_DESCRIBED, Api
from tests.factories import ADMIN, NOON

PASSWORD = "nine lives of a cat"


async def somebody(api: Api, username: str, role: UserRole, password: str = PASSWORD) -> None:
    """A user who can sign in."""
    await api.store.write(partial(users.add, username=username, role=role, actor=ADMIN, now=NOON))
    kept = passwords.hashed(password)
    await api.store.write(
        lambda session: users.set_password(session, username, kept, once=False, actor=ADMIN, now=NOON)
    )


async def sign_in(api: Api, username: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    """Ask for tokens, as a stranger."""
    form = {"grant_type": "password", "username": username, "password": password, **more}
    return await post(api, "auth/token", form)


async def renew(api: Api, refresh_token: str) -> httpx.Response:
    """Ask for the next tokens."""
    return await post(api, "auth/token", {"grant_type": "refresh_token", "refresh_token": refresh_token})


async def post(api: Api, path: str, form: dict[str, str]) -> httpx.Response:
    """A form of somebody who shows no token."""
    return await api.http.post(path, data=form, headers={"Authorization": ""})


@asynccontextmanager
async def as_somebody(api: Api, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client that shows another token."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api.app, raise_app_exceptions=False),
        base_url="http://orion/api/v1/",
        headers={"Authorization": f"Bearer {token}"},
        event_hooks=AS_DESCRIBED,
    ) as client:
        yield client


async def role_of(api: Api, token: str) -> tuple[int, dict[str, Any]]:
    """The status and the answer to who shows this token."""
    async with as_somebody(api, token) as client:
        answer = await client.get("auth/me")
    said = answer.json()
    return answer.status_code, {name: said[name] for name in ("username", "role") if name in said} or said


async def actions(api: Api) -> list[tuple[str, dict[str, Any]]]:
    """What was put on record of users, in its order, with its details."""

    def read(session: Session) -> list[tuple[str, dict[str, Any]]]:
        rows = session.exec(select(AuditEntry).order_by(col(AuditEntry.number)))
        return [(row.action, row.detail or {}) for row in rows if row.action.startswith("user.")]

    return await api.store.read(read)
