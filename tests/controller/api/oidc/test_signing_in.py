"""Signing in with a real identity provider: who is let in as whom, and who is not."""

import asyncio

import httpx
import pytest

from controller.services.users import UserRole
from tests.controller.api.oidc.conftest import CALLBACK, LOGIN, Door, Set
from tests.controller.api.oidc.people import a_user, signed_in
from tests.controller.api.people import actions, renew, role_of, somebody
from tests.provider import EVE, MIA, RealProvider, query_of, vouched


async def test_a_person_whom_an_administrator_linked_is_let_in(door: Door) -> None:
    await a_user(door)

    answer = await signed_in(door)

    grant = answer.json()
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert await role_of(door.api, grant["access_token"]) == (200, {"username": "mia", "role": "operator"})
    assert (await renew(door.api, grant["refresh_token"])).status_code == 200
    noted = await actions(door.api)
    assert (noted[-1][0], noted[-1][1]["how"]) == ("user.signed_in", "oidc")


async def test_the_way_there_says_what_it_has_to_and_not_where_the_caller_says_we_are(door: Door) -> None:
    async with door.browser("http://evil.example") as browser:
        assert (await browser.get(LOGIN)).status_code == 421
    forged = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    async with door.browser("http://localhost:1", **forged) as browser:
        first = query_of((await browser.get(LOGIN)).headers["location"])
        second = query_of((await browser.get(LOGIN)).headers["location"])

    assert first["redirect_uri"] == CALLBACK
    assert (first["response_type"], first["scope"]) == ("code", "openid profile email")
    assert (first["code_challenge_method"], len(first["code_challenge"])) == ("S256", 43)
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]


@pytest.mark.parametrize("missing", ["code_challenge", "nonce"])
async def test_the_provider_insists_on_what_we_send(door: Door, missing: str) -> None:
    async with door.browser() as browser:
        address = (await browser.get(LOGIN)).headers["location"]
    bare = httpx.URL(address).copy_remove_param(missing)
    if missing == "code_challenge":
        bare = bare.copy_remove_param("code_challenge_method")

    answer = await asyncio.to_thread(httpx.get, bare)

    refused = query_of(answer.headers.get("location", "")).get("error")
    assert answer.status_code == 400 or refused == "invalid_request"


async def test_a_code_that_was_asked_for_with_another_challenge_is_no_way_in(door: Door) -> None:
    await a_user(door)
    async with door.browser() as browser:
        address = (await browser.get(LOGIN)).headers["location"]
        other = httpx.URL(address).copy_set_param("code_challenge", "x" * 43)
        back = await asyncio.to_thread(vouched, str(other), CALLBACK)

        answer = await browser.get(back)

    assert answer.status_code == 403


async def test_who_is_linked_to_nobody_is_not_let_in_and_is_told_how(door: Door) -> None:
    await a_user(door, subject=None)  # of the same name, which says nothing

    answer = await signed_in(door)

    assert answer.status_code == 403
    assert f"orion users link NAME --issuer-subject {MIA}" in answer.text
    failed = (await actions(door.api))[-1]
    assert failed[0] == "user.sign_in_failed"
    assert failed[1] == {"issuer": door.issuer, "subject": MIA, "address": "127.0.0.1"}


async def test_a_rule_lets_new_people_in_by_the_name_that_the_provider_says(
    set_provider: Set, real: RealProvider
) -> None:
    door = await set_provider(real.issuer, new_users="viewer")

    first = await signed_in(door)
    again = await signed_in(door)

    for answer in (first, again):
        token = answer.json()["access_token"]
        assert await role_of(door.api, token) == (200, {"username": "mia", "role": "viewer"})
    assert [action for action, _ in await actions(door.api)].count("user.added") == 1


@pytest.mark.parametrize("taken", ["mia", "Mia"])
async def test_a_rule_for_new_people_gives_nobody_a_name_that_is_taken(
    set_provider: Set, real: RealProvider, taken: str
) -> None:
    door = await set_provider(real.issuer, new_users="viewer")
    await somebody(door.api, taken, UserRole.ADMIN)

    answer = await signed_in(door)

    assert answer.status_code == 403
    assert "There is a user" in answer.text
    (there,) = [
        each for each in (await door.api.http.get("users")).json()["items"] if each["username"] != "admin"
    ]
    assert (there["username"], there["identities"]) == (taken, [])


@pytest.mark.parametrize(
    ("subject", "claim", "username"),
    [(MIA, "email", "mia"), (EVE, "email", None), (EVE, "preferred_username", "eve"), (MIA, "no_such", None)],
)
async def test_an_address_names_somebody_new_only_where_it_was_verified(
    set_provider: Set, real: RealProvider, subject: str, claim: str, username: str | None
) -> None:
    door = await set_provider(real.issuer, new_users="guest", username_claim=claim)

    answer = await signed_in(door, subject)

    assert answer.status_code == (403 if username is None else 200), answer.text
    if username is not None:
        assert answer.json()["username"] == username


async def test_who_was_shut_out_is_not_let_in_nor_made_anew(set_provider: Set, real: RealProvider) -> None:
    door = await set_provider(real.issuer, new_users="viewer")
    grant = (await signed_in(door)).json()
    await door.api.http.post("users/mia/disable")

    answer = await signed_in(door)

    assert answer.status_code == 403
    assert (await role_of(door.api, grant["access_token"]))[0] == 401
    assert (await renew(door.api, grant["refresh_token"])).status_code == 400


@pytest.mark.parametrize(("client_id", "secret"), [("posting", True), ("public", False), ("elliptic", True)])
async def test_each_kind_of_client_is_let_in(
    set_provider: Set, real: RealProvider, client_id: str, *, secret: bool
) -> None:
    without = {} if secret else {"client_secret": None}
    door = await set_provider(real.issuer, client_id=client_id, **without)
    await a_user(door)

    assert (await signed_in(door)).status_code == 200


async def test_a_provider_may_sign_with_new_keys_at_any_time(door: Door, real: RealProvider) -> None:
    await a_user(door)
    before = await signed_in(door)

    real.rotate()
    at_once = await signed_in(door)
    door.clock.now += 30.0
    later = await signed_in(door)

    # keys are not asked for again at every name that somebody makes up
    assert [answer.status_code for answer in (before, at_once, later)] == [200, 403, 200]
