"""Every route of the table with every kind of person, on their own device and on another one, and with keys."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from controller.services.accounts import apikeys
from controller.services.users import UserRole
from controller.store.store import Session
from tests.controller.api import arranged
from tests.controller.api.arranged import World
from tests.controller.api.conftest import Api
from tests.controller.api.fleet import OPERATORS, OTHER, OWN, PEOPLE, a_key, token_of
from tests.controller.api.people import as_somebody, sign_in, somebody
from tests.controller.api.table import (
    ADMIN,
    ALL,
    ANYBODY,
    EVERY_KEY,
    OPEN,
    OPERATOR,
    PERSON,
    SEEING,
    TABLE,
    Route,
    scopes_without,
)  # fmt: skip

STREAM = "GET /stream"


@pytest.fixture
async def stand(api: Api, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """The API with a broker of its own."""
    async with arranged.with_a_broker(api, tmp_path_factory.mktemp("b")):
        yield api


def routes(api: Api) -> set[str]:
    paths = api.app.openapi()["paths"]
    return {f"{method.upper()} {path.removeprefix('/api/v1')}" for path in paths for method in paths[path]}


async def test_each_route_is_in_the_table(api: Api) -> None:
    assert routes(api) == set(TABLE)


def about(route: str, row: Route) -> tuple[str, ...]:
    """The devices that a route is asked for."""
    is_about_one = row.least in (SEEING, OPERATOR) or row.shows or "{device_id}" in route
    return (OWN, OTHER) if is_about_one else (OWN,)


def may(row: Route, name: str, device_id: str) -> bool:
    role, _, seen = PEOPLE[name]
    return {
        OPEN: True,
        ANYBODY: True,
        SEEING: device_id in seen,
        ALL: role is not UserRole.GUEST,
        OPERATOR: name in OPERATORS[device_id],
        ADMIN: role is UserRole.ADMIN,
    }[row.least]


def status(route: str, row: Route, name: str, device_id: str) -> int:
    named = {OWN, OTHER} if "{other_id}" in route else {device_id}
    is_about_it = row.least in (SEEING, OPERATOR) or "{device_id}" in route
    if is_about_it and not named <= PEOPLE[name][2]:
        return row.hidden
    return row.ok if may(row, name, device_id) else row.refused


async def answer_to(api: Api, client: httpx.AsyncClient, route: str, sent: dict[str, Any]) -> httpx.Response:
    if route != STREAM:
        return await client.request(**sent)
    return await beginning(api, client.headers["authorization"], sent["url"])


async def beginning(api: Api, authorization: str, url: str) -> httpx.Response:
    """The status of an answer that does not end; its reader goes as soon as it has begun."""
    begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    requested = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in requested:
            return message
        await begun
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            begun.set_result(message["status"])

    path = httpx.URL(url).path
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("orion", 80), "headers": [(b"host", b"orion"), (b"authorization", authorization.encode())],
    }  # fmt: skip
    async with asyncio.timeout(10):
        await api.app(scope, receive, send)
    return httpx.Response(begun.result(), json={}, request=httpx.Request("GET", url))


async def test_nothing_but_what_is_open_is_answered_to_who_shows_no_token(stand: Api) -> None:
    world = World(stand)
    for route, row in TABLE.items():
        sent = arranged.asked(route, row, await world.before(route, OWN))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(stand.app)) as stranger:
            answer = await stranger.request(**sent)
        assert answer.status_code == (row.ok if row.least is OPEN else 401), (route, answer.text)


@pytest.mark.parametrize("name", PEOPLE)
async def test_each_person_is_answered_as_the_table_says(stand: Api, name: str) -> None:
    world = World(stand)
    wrong: list[tuple[Any, ...]] = []
    await world.before("GET /devices", OWN)
    token = await token_of(stand, name)
    async with as_somebody(stand, token) as client:
        for route, row in sorted(TABLE.items(), key=lambda each: not each[0].startswith("GET ")):
            for device_id in about(route, row):  # looked at first: what they name in an order is told to them
                at = await world.before(route, device_id)
                answer = await answer_to(stand, client, route, arranged.asked(route, row, at))
                world.after(answer)
                seen = PEOPLE[name][2]
                wanted = status(route, row, name, device_id)
                if answer.status_code != wanted:
                    wrong.append((route, device_id, wanted, answer.status_code, answer.text[:300]))
                    continue
                if (
                    answer.is_success
                    and row.told is not None
                    and row.told(answer.json()) != may(row, name, device_id)
                ):
                    wrong.append((route, device_id, "decided otherwise", answer.text[:300]))
                if answer.is_success and row.shows:
                    shown = row.shows.format(**at) in answer.text
                    if shown != (device_id in seen):
                        wrong.append((route, device_id, f"shown: {shown}", answer.text[:300]))
                if answer.is_success and row.least is not OPEN:
                    wrong += [
                        (route, device_id, "names", hidden, answer.text[:300])
                        for hidden in {OWN, OTHER} - seen - {device_id}
                        if f'"{hidden}"' in answer.text
                    ]
    assert wrong == [], "\n".join(map(str, wrong))


@pytest.mark.parametrize("part", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_key_opens_what_its_scope_says_and_nothing_else(stand: Api, part: str) -> None:
    await token_of(stand, "anna")
    world = World(stand)
    wrong: list[tuple[Any, ...]] = []
    for route, row in TABLE.items():
        if not route.startswith(f"{part} ") or row.least is OPEN or row.scope == EVERY_KEY:
            continue
        for scopes, opens in tried(row):
            at = await world.before(route, OWN)
            sent = arranged.asked(route, row, at)
            await stand.store.write(forget_keys)
            async with as_somebody(stand, await a_key(stand, "anna", *scopes)) as program:
                answer = await answer_to(stand, program, route, sent)
            world.after(answer)
            if answer.status_code != (row.ok if opens else 403):
                wrong.append((route, opens, answer.status_code, answer.text[:300]))
            elif not opens:
                said = "does not open"
                if route != STREAM and said not in answer.json()["detail"]:
                    wrong.append((route, opens, answer.text[:300]))
    assert wrong == [], "\n".join(map(str, wrong))


def forget_keys(session: Session) -> None:
    for row in apikeys.listed(session, "anna"):  # one may have so many
        session.delete(row)


def tried(row: Route) -> list[tuple[list[str], bool]]:
    """Scopes of a key, and whether it opens a row: its own alone, and all but that."""
    if row.scope is PERSON:
        return [([], False)]  # `a_key` takes all of them then
    assert row.scope is not None
    return [([row.scope, *row.also], True), (scopes_without(row.scope), False)]


async def test_a_program_that_speaks_at_the_broker_alone_comes_in_nowhere(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    changed = await api.http.patch("users/mia", json={"role": "home_assistant"})
    assert changed.status_code == 200

    assert (await sign_in(api, "mia")).status_code == 400
    assert (await api.http.put("users/mia/password", json={})).status_code == 403
    wanted = {"name": "x", "scopes": ["devices:read"], "username": "mia"}
    assert (await api.http.post("keys", json=wanted)).status_code == 403
