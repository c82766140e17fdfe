"""Readers of the stream over real sockets, and the people they belong to."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import websockets
from websockets.asyncio.client import ClientConnection

from controller.api.app import Server
from controller.api.live.hub import Hub
from controller.services import devices
from controller.services.accounts import apikeys, grants
from controller.services.accounts.grants import Place
from controller.services.actors import Role
from controller.services.users import UserRole
from controller.store.store import Session
from tests.controller.api.conftest import Api
from tests.controller.api.people import sign_in, somebody
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile

Message = dict[str, Any]
_TLS = ssl.create_default_context()  # unused here, and a client that makes its own takes long
PATIENCE = 30.0  # seconds; a test that waits so long has failed


@dataclass(frozen=True, slots=True)
class Stand:
    """The API, its stream, and where it is served."""

    api: Api
    live: Hub
    server: Server
    port: int

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/api/v1/stream"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1/stream"


class Events:
    """What comes as Server-Sent Events, read as a browser does."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()
        self.last_id: str | None = None
        self.comments: list[str] = []

    async def next(self, within_s: float = PATIENCE) -> Message:
        """The next event."""
        kind, data = "", ""
        async with asyncio.timeout(within_s):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last_id = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    data = value
                elif line.startswith(":"):
                    self.comments.append(line)
                elif not line and data:
                    found: Message = json.loads(data)
                    assert (found["type"], found["id"]) == (kind, self.last_id)
                    return found
        raise EOFError

    async def until(self, kind: str) -> Message:
        """The next one of this type."""
        while (found := await self.next())["type"] != kind:
            pass
        return found

    async def rest(self) -> list[Message]:
        """What comes until its end."""
        found: list[Message] = []
        try:
            while True:
                found.append(await self.next())
        except EOFError:
            return found


@asynccontextmanager
async def events(
    stand: Stand, token: str | None = None, *, after: str | None = None, **query: Any
) -> AsyncIterator[Events]:
    """Somebody who watches by Server-Sent Events; the owner, if not said who."""
    headers = {"Authorization": f"Bearer {token or stand.api.token}"}
    if after is not None:
        headers["Last-Event-ID"] = after
    async with (
        httpx.AsyncClient(timeout=PATIENCE, headers=headers, verify=_TLS) as client,
        client.stream("GET", stand.url, params=query) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        yield Events(answer)


async def refused(stand: Stand, token: str | None = None, **query: Any) -> httpx.Response:
    """The answer to somebody who is not let in."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(timeout=PATIENCE, headers=headers, verify=_TLS) as client:
        return await client.get(stand.url, params=query)


@asynccontextmanager
async def socket(
    stand: Stand, token: str | None = None, *, query: str = "", **options: Any
) -> AsyncIterator[ClientConnection]:
    """Somebody who watches by a WebSocket, with the token in the header; the owner, if not said who."""
    headers = {"Authorization": f"Bearer {token or stand.api.token}"}
    async with websockets.connect(
        f"{stand.ws_url}{query}", additional_headers=headers, proxy=None, **options
    ) as line:
        yield line


async def told(line: ClientConnection) -> Message:
    """The next message of a WebSocket."""
    async with asyncio.timeout(PATIENCE):
        found: Message = json.loads(await line.recv())
    return found


async def closed(line: ClientConnection) -> tuple[int, str]:
    """How it is closed, whatever it says before."""
    async with asyncio.timeout(PATIENCE):
        with suppress(websockets.ConnectionClosed):
            async for _ in line:
                pass
    assert line.close_code is not None
    return line.close_code, line.close_reason or ""


async def until(what: Callable[[], bool]) -> None:
    """Return once it is so."""
    async with asyncio.timeout(PATIENCE):
        while not what():
            await asyncio.sleep(0.01)


async def token_of(api: Api, username: str, role: UserRole) -> str:
    """A new user, and the token they signed in with."""
    await somebody(api, username, role)
    token: str = (await sign_in(api, username)).json()["access_token"]
    return token


async def key_of(api: Api, username: str, *scopes: str, only: tuple[str, ...] = ()) -> tuple[str, str]:
    """An API key of somebody who is there; its id and the key."""
    new = apikeys.NewKey("a program", scopes, only)
    row, key = await api.store.write(
        lambda session: apikeys.create(session, username, new, actor=ADMIN, now=NOON)
    )
    return row.id, key


async def grant(api: Api, username: str, role: Role, **place: str) -> None:
    """Let somebody reach something."""
    await api.store.write(
        partial(grants.give, username=username, place=Place(**place), role=role, actor=ADMIN, now=NOON)
    )


async def online(api: Api, device_id: str, **place: Any) -> None:
    """An adopted device that is online."""

    def add(session: Session) -> None:
        devices.add(session, a_place(device_id, **place), actor=ADMIN, now=NOON)
        devices.store_profile(session, device_id, a_profile(device_id), now=NOON)
        devices.store_presence(session, device_id, a_presence(), now=NOON)

    await api.store.write(add)
