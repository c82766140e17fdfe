"""Users are let in under a name of their own, and shut out by one command."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from broker.session import ConnectFailed, Endpoint, Session
from tests.flows.installation import Installation
from tests.flows.people import let_in, person


async def is_let_in(endpoint: Endpoint) -> bool:
    session = Session(endpoint, client_id=endpoint.username or "", session_expiry_s=0, clean_start=True)
    try:
        await session.connect()
    except ConnectFailed:
        return False
    await session.close()
    return True


async def roles(orion: Installation) -> dict[str, str]:
    """Those of everybody but the first user, who is always there."""
    listed = (await orion.http.get("users")).json()["items"]
    assert all("password" not in str(each) for each in listed)
    found = {each["username"]: each["role"] for each in listed}
    assert found.pop("admin") == "admin"
    return found


async def test_a_password_is_said_once_and_opens_the_door(orion: Installation) -> None:
    endpoint = await let_in(orion, "mia", "operator")

    assert await is_let_in(endpoint)
    assert await roles(orion) == {"mia": "operator"}
    assert str(endpoint.password) not in (await orion.http.get("audit")).text


async def test_a_new_password_takes_the_place_of_the_old_one(orion: Installation) -> None:
    old = await let_in(orion, "mia", "operator")

    made = (await orion.http.post("users/mia/rotate")).json()["mqtt"]

    assert not await is_let_in(old)
    assert await is_let_in(orion.broker.endpoint("mia", made["password"]))


async def test_a_change_of_role_is_a_new_password_with_other_rights(orion: Installation) -> None:
    old = await let_in(orion, "mia", "admin")

    changed = (await orion.http.patch("users/mia", json={"role": "viewer"})).json()

    assert changed["role"] == "viewer"
    assert not await is_let_in(old)
    assert await is_let_in(orion.broker.endpoint("mia", changed["mqtt"]["password"]))
    assert await roles(orion) == {"mia": "viewer"}
    assert {"mia": "viewer"}.items() <= {
        name: role.value for name, role in (await asyncio.to_thread(orion.broker.identities.all)).items()
    }.items()


async def test_whoever_is_removed_is_out_at_once(orion: Installation) -> None:
    async with person(orion, "otto") as otto:
        endpoint = await let_in(orion, "mia", "operator")
        session = Session(endpoint, client_id="mia", session_expiry_s=0, clean_start=True)
        await session.connect()

        assert (await orion.http.delete("users/mia")).status_code == 204

        async with asyncio.timeout(5):
            await session.lost()
        assert not await is_let_in(endpoint)
        assert await roles(orion) == {"otto": "operator"}
        assert (await otto.told("which devices are there?"))[-1]["type"] == "final"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"username": "admin", "role": "viewer"}, 403, "permission_denied"),
        ({"username": "controller-main", "role": "viewer"}, 403, "permission_denied"),
        ({"username": "laptop", "role": "viewer"}, 409, "already_exists"),
        ({"username": "mia", "role": "viewer"}, 409, "already_exists"),
        ({"username": "a/b", "role": "viewer"}, 422, "invalid_arguments"),
        ({"username": "bob", "role": "controller"}, 422, "invalid_arguments"),
        ({"username": "bob", "role": "viewer", "password": "x"}, 422, "invalid_arguments"),
    ],
)
async def test_a_name_or_role_that_cannot_be_given_is_refused(
    orion: Installation, body: dict[str, Any], status: int, code: str
) -> None:
    await orion.add_device("laptop")
    await let_in(orion, "mia", "operator")

    answer = await orion.http.post("users", json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await roles(orion) == {"mia": "operator"}


async def test_a_name_that_only_the_broker_knows_leaves_no_user_behind(orion: Installation) -> None:
    await asyncio.to_thread(orion.broker.identities.add_device, "ghost")

    answer = await orion.http.post("users", json={"username": "ghost", "role": "viewer"})

    assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")
    assert await roles(orion) == {}


async def test_a_device_cannot_take_a_users_name(orion: Installation) -> None:
    await let_in(orion, "mia", "operator")

    answer = await orion.http.post("devices", json={"device_id": "mia"})

    assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")


@pytest.mark.parametrize("path", ["users/nobody", "users/nobody/rotate"])
async def test_nobody_is_not_found(orion: Installation, path: str) -> None:
    verb = "POST" if path.endswith("rotate") else "DELETE"

    assert (await orion.http.request(verb, path)).status_code == 404


async def test_who_is_disabled_is_out_at_the_broker_too_and_comes_back_with_another_password(
    orion: Installation,
) -> None:
    endpoint = await let_in(orion, "mia", "operator")

    gone = await orion.http.post("users/mia/disable")
    refused = await orion.http.post("users/mia/rotate")
    was_out = not await is_let_in(endpoint)
    back = (await orion.http.post("users/mia/enable")).json()["mqtt"]
    again = await orion.http.post("users/mia/enable")

    assert (gone.status_code, refused.status_code, again.status_code) == (200, 409, 409)
    assert was_out
    assert not await is_let_in(endpoint)
    assert await is_let_in(replace(endpoint, password=back["password"]))


async def test_the_first_user_has_no_name_at_the_broker(orion: Installation) -> None:
    answers = [await orion.http.post("users/admin/rotate"), await orion.http.post("users/admin/enable")]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert "admin" not in (await orion.http.get("identities")).text
