"""API keys as they are kept: who sees and revokes them, how many there are, and when they go."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from controller.services import devices, users
from controller.services.accounts import apikeys
from controller.services.users import UserRole
from controller.store.store import Session
from tests.controller.api.conftest import Api
from tests.controller.api.fleet import a_fleet, a_key, token_of
from tests.controller.api.keymaking import WANTED
from tests.controller.api.people import as_somebody, somebody
from tests.factories import ADMIN, NOON


async def test_keys_are_seen_and_revoked_by_whose_they_are_and_by_an_admin(api: Api) -> None:
    await a_fleet(api)
    vera, otto = await token_of(api, "vera"), await token_of(api, "otto")
    key_id = (await a_key(api, "otto", "devices:read")).split("_")[1]
    async with as_somebody(api, vera) as client:
        assert (await client.get("keys")).json()["items"] == []
        for method in ("GET", "DELETE"):
            assert (await client.request(method, f"keys/{key_id}")).status_code == 404
        assert (await client.post("keys", json=WANTED | {"username": "otto"})).status_code == 403
    async with as_somebody(api, otto) as client:
        assert [each["key_id"] for each in (await client.get("keys")).json()["items"]] == [key_id]
        assert (await client.get(f"keys/{key_id}")).json()["opens"] is True
        assert (await client.delete(f"keys/{key_id}")).status_code == 204
        assert (await client.get(f"keys/{key_id}")).json()["opens"] is False
    hers = await api.http.post("keys", json=WANTED | {"username": "vera"})
    assert (hers.status_code, hers.json()["username"]) == (201, "vera")


@pytest.mark.parametrize(
    "odd",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["devices"]},
        {"scopes": ["devices:read", "devices:rule"]},
        {"devices": ["Lab"]},
        {"devices": ["../x"]},
        {"devices": [""]},
        {"name": ""},
        {"name": "x" * 65},
        {"expires_in_s": 0},
        {"expires_in_s": 1e12},
        {"username": "nobody at all"},
        {"more": 1},
    ],
)
async def test_what_is_no_key_is_refused(api: Api, odd: dict[str, Any]) -> None:
    await api.store.write(partial(users.ensure_admin, now=NOON))

    answer = await api.http.post("keys", json=WANTED | odd)

    assert answer.status_code == 422, answer.text


async def test_a_user_has_so_many_keys_and_no_more(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    for _ in range(apikeys.MOST):
        await a_key(api, "mia", "devices:read")

    answer = await api.http.post("keys", json=WANTED | {"username": "mia"})

    assert answer.status_code == 409
    assert "orion keys list" in answer.json()["detail"]


@pytest.mark.parametrize("over", ["expires_at", "revoked_at"])
async def test_keys_that_are_over_are_in_nobodys_way_and_go_after_a_while(api: Api, over: str) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    now = datetime.now(UTC)

    def age(session: Session) -> None:
        for number, row in enumerate(apikeys.listed(session, "mia")):
            # one of them so long ago that nobody wonders any more
            setattr(row, over, now - (apikeys.KEPT if number == 0 else timedelta(seconds=1)))

    for _ in range(apikeys.MOST):
        await a_key(api, "mia", "devices:read")
    await api.store.write(age)

    answer = await api.http.post("keys", json=WANTED | {"username": "mia"})
    assert answer.status_code == 201
    await api.app.state.parts.doorkeeper.tidy()
    left = (await api.http.get("keys")).json()["items"]
    assert len(left) == apikeys.MOST
    assert [each["key_id"] for each in left if each["opens"]] == [answer.json()["key_id"]]


async def test_a_program_of_nobody_has_no_key(api: Api) -> None:
    await api.store.write(
        partial(users.add, username="hub", role=UserRole.HOME_ASSISTANT, actor=ADMIN, now=NOON)
    )

    assert (await api.http.post("keys", json=WANTED | {"username": "hub"})).status_code == 403
    assert (await api.http.post("keys", json=WANTED | {"username": "nobody"})).status_code == 404


async def test_keys_go_with_their_user(api: Api) -> None:
    await a_fleet(api)
    await somebody(api, "mia", UserRole.OPERATOR)
    async with as_somebody(api, await a_key(api, "mia", "devices:read")) as program:
        assert (await program.get("devices")).status_code == 200
        await api.store.write(partial(users.remove, username="mia", actor=ADMIN, now=NOON))
        assert (await program.get("devices")).status_code == 401
    assert (await api.http.get("keys")).json()["items"] == []
    assert await api.store.read(lambda session: len(devices.every(session))) == 2
