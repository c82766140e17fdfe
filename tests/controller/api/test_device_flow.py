"""The device flow by HTTP: what the RFC has a program told, who may say yes, and what guessing costs."""

import asyncio
from typing import Any

import httpx
import pytest

from controller.services.accounts import devicecodes
from controller.services.users import UserRole
from tests.controller.api.conftest import Api
from tests.controller.api.people import actions, as_somebody, post, role_of, sign_in, somebody

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
LAMP = "a lamp"


@pytest.fixture
async def mia(api: Api) -> str:
    """The access token of an operator."""
    await somebody(api, "mia", UserRole.OPERATOR)
    token: str = (await sign_in(api, "mia")).json()["access_token"]
    return token


async def begun(api: Api) -> dict[str, Any]:
    """A lamp that waits."""
    answer = await post(api, "auth/device", {"client_id": LAMP})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def asked(api: Api, lamp: dict[str, Any], **more: str) -> httpx.Response:
    """What it is told when it looks."""
    form = {"grant_type": GRANT, "device_code": lamp["device_code"], "client_id": LAMP, **more}
    return await post(api, "auth/token", form)


async def answered(api: Api, token: str, user_code: str, *, approve: bool = True) -> httpx.Response:
    """What somebody says to it."""
    async with as_somebody(api, token) as client:
        return await client.post("auth/device/approve", json={"user_code": user_code, "approve": approve})


async def test_a_lamp_is_let_in_as_who_says_yes(api: Api, mia: str) -> None:
    lamp = await begun(api)
    before = await asked(api, lamp)
    said = await answered(api, mia, lamp["user_code"])
    grant = await asked(api, lamp)
    again = await asked(api, lamp)

    assert (before.status_code, before.json()["error"]) == (400, "authorization_pending")
    assert said.json() | {"begun_at": ""} == {
        "status": "approved",
        "client": LAMP,
        "address": "127.0.0.1",
        "begun_at": "",
    }
    assert grant.status_code == 200
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await role_of(api, grant.json()["access_token"]))[0] == 401  # by the second look: one was stolen


async def test_what_it_was_given_opens_the_api_and_is_renewed(api: Api, mia: str) -> None:
    lamp = await begun(api)
    await answered(api, mia, lamp["user_code"])
    grant = (await asked(api, lamp)).json()

    renewed = await post(
        api, "auth/token", {"grant_type": "refresh_token", "refresh_token": grant["refresh_token"]}
    )

    assert await role_of(api, grant["access_token"]) == (200, {"username": "mia", "role": "operator"})
    assert renewed.status_code == 200


async def test_what_it_is_told_at_first_is_what_the_rfc_has(api: Api) -> None:
    answer = await post(api, "auth/device", {"client_id": LAMP, "scope": "all"})

    lamp = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert (lamp["expires_in"], lamp["interval"]) == (600, 5)
    assert lamp["verification_uri"] == "http://127.0.0.1:8180/auth/device"
    assert lamp["verification_uri_complete"] == f"{lamp['verification_uri']}?user_code={lamp['user_code']}"
    assert len(lamp["device_code"]) == 43


async def test_a_no_and_a_look_too_soon_are_told_so(api: Api, mia: str) -> None:
    lamp = await begun(api)
    looks = [await asked(api, lamp) for _ in range(2)]
    await answered(api, mia, lamp["user_code"], approve=False)
    looks += [await asked(api, lamp) for _ in range(2)]

    assert [look.json()["error"] for look in looks] == [
        "authorization_pending",
        "slow_down",
        "access_denied",
        "access_denied",
    ]
    assert {(look.status_code, look.headers["cache-control"]) for look in looks} == {(400, "no-store")}


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": GRANT}, "invalid_request"),
        ({"grant_type": GRANT, "device_code": "x" * 201}, "invalid_request"),
        ({"grant_type": GRANT, "device_code": "x" * 43}, "invalid_grant"),
        ({"grant_type": GRANT, "device_code": "\x00"}, "invalid_grant"),
        ({"grant_type": "device_code", "device_code": "x" * 43}, "unsupported_grant_type"),
    ],
)
async def test_what_is_no_code_is_told_so(api: Api, form: dict[str, str], error: str) -> None:
    answer = await post(api, "auth/token", form)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize("client", ["", "x" * 65, "a\nlamp", "a\u202elamp", "<b>" + "x" * 64])
async def test_a_program_says_what_it_is_in_plain_letters(api: Api, client: str) -> None:
    answer = await post(api, "auth/device", {"client_id": client})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_of_two_answers_at_once_one_counts(api: Api, mia: str) -> None:
    await somebody(api, "max", UserRole.OPERATOR)
    other = (await sign_in(api, "max")).json()["access_token"]
    lamp = await begun(api)

    said = await asyncio.gather(*(answered(api, token, lamp["user_code"]) for token in (mia, other) * 2))
    grant = (await asked(api, lamp)).json()

    assert sorted(answer.status_code for answer in said) == [200, 409, 409, 409]
    approved = [detail for action, detail in await actions(api) if action == "user.device_approved"]
    assert len(approved) == 1
    assert (await role_of(api, grant["access_token"]))[0] == 200


async def test_of_many_looks_at_once_one_is_granted(api: Api, mia: str) -> None:
    lamp = await begun(api)
    await answered(api, mia, lamp["user_code"])

    looks = await asyncio.gather(*(asked(api, lamp) for _ in range(5)))

    assert sorted(look.status_code for look in looks) == [200, 400, 400, 400, 400]


async def test_guessing_a_code_has_to_wait_and_is_on_record(api: Api, mia: str) -> None:
    lamp = await begun(api)

    guesses = [await answered(api, mia, f"BCDF-BCD{letter}") for letter in "BCDFG"]
    right = await answered(api, mia, lamp["user_code"])

    assert [answer.status_code for answer in guesses] == [404] * 4 + [429]
    assert right.status_code == 429
    noted = [detail for action, detail in await actions(api) if action == "user.device_code_unknown"]
    assert noted == [{"username": "mia", "address": "127.0.0.1"}] * 4


async def test_too_many_that_wait_are_told_when_to_come_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devicecodes, "MOST_OF_ONE_PLACE", 1)
    await begun(api)

    answer = await post(api, "auth/device", {"client_id": LAMP})

    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert int(answer.headers["retry-after"]) > 0


async def test_whose_name_signs_in_nowhere_lets_nobody_in(api: Api) -> None:
    lamp = await begun(api)

    # the bearer of the token file, in a database without the first user
    answer = await api.http.post(
        "auth/device/approve", json={"user_code": lamp["user_code"], "approve": True}
    )

    assert answer.status_code == 403
    assert (await asked(api, lamp)).json()["error"] == "authorization_pending"


async def test_an_api_key_lets_nobody_in_who_may_more_than_it(api: Api, mia: str) -> None:
    lamp = await begun(api)
    async with as_somebody(api, mia) as client:
        made = await client.post("keys", json={"name": "a program", "scopes": ["commands:write"]})

    said = await answered(api, made.json()["key"], lamp["user_code"])

    assert (made.status_code, said.status_code) == (201, 403)
    assert (await asked(api, lamp)).json()["error"] == "authorization_pending"
