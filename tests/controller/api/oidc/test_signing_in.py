"""Signing in with a real identity provider: who is let in as whom, and who is not."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from sqlmodel import select

from controller.services import identities, users
from controller.services.users import UserRole
from controller.store.store import Session
from controller.store.tables import Attempt
from tests.controller.api.conftest import Api
from tests.controller.api.oidc.conftest import CALLBACK, HERE, LOGIN, Door, Set
from tests.controller.api.people import actions, renew, role_of, sign_in, somebody
from tests.controller.api.test_device_flow import asked, begun
from tests.controller.api.test_device_page import fields
from tests.factories import ADMIN, NOON
from tests.provider import EVE, MIA, RealProvider, query_of, vouched


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


async def test_a_rule_for_new_people_gives_nobody_a_name_that_is_taken(
    set_provider: Set, real: RealProvider
) -> None:
    door = await set_provider(real.issuer, new_users="viewer")
    await somebody(door.api, "mia", UserRole.ADMIN)

    answer = await signed_in(door)

    assert answer.status_code == 403
    assert "There is a user" in answer.text
    assert not (await door.api.http.get("users/mia")).json()["identities"]


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


async def test_it_comes_back_once(door: Door) -> None:
    await a_user(door)
    async with door.browser() as browser:
        back = await came_back(door, browser)
        first, again = await browser.get(back), await browser.get(back)

    assert (first.status_code, again.status_code) == (200, 403)


async def test_it_comes_back_to_the_browser_that_left(door: Door) -> None:
    """Or somebody could be signed in as the attacker, and tell them their secrets."""
    await a_user(door, "eve", subject=EVE)
    async with door.browser() as attacker, door.browser() as victim:
        back = await came_back(door, attacker, EVE)
        stranger = await victim.get(back)
        await victim.get(LOGIN)
        elsewhere = await victim.get(await came_back(door, attacker, EVE))

    assert (stranger.status_code, elsewhere.status_code) == (403, 403)


async def test_it_comes_back_in_ten_minutes(door: Door) -> None:
    await a_user(door)

    def age(session: Session) -> None:
        for row in session.exec(select(Attempt)):
            row.expires_at -= timedelta(minutes=10)

    async with door.browser() as browser:
        back = await came_back(door, browser)
        await door.api.store.write(age)
        late = await browser.get(back)

    assert late.status_code == 403


async def test_a_restart_in_the_middle_loses_nothing(
    door: Door, set_provider: Set, real: RealProvider
) -> None:
    await a_user(door)
    async with door.browser() as browser:
        back = await came_back(door, browser)
        await set_provider(real.issuer)  # as a controller does that starts anew

        assert (await browser.get(back)).status_code == 200


async def test_what_is_kept_meanwhile_is_no_secret(door: Door) -> None:
    async with door.browser() as browser:
        away = await browser.get(LOGIN)
        secrets = {*dict(browser.cookies).values(), *query_of(away.headers["location"]).values()}

    kept = await door.api.store.read(lambda session: str(session.exec(select(Attempt)).one().model_dump()))
    assert not [each for each in secrets if len(each) >= 43 and each in kept]


async def test_a_no_of_the_provider_is_said_in_its_word_alone(door: Door) -> None:
    async with door.browser() as browser:
        asked_for = query_of((await browser.get(LOGIN)).headers["location"])
        answer = await browser.get(
            CALLBACK,
            params={
                "error": "access_denied",
                "error_description": "<script>alert(1)</script>",
                "state": asked_for["state"],
                "iss": door.issuer,
            },
        )
        again = query_of((await browser.get(LOGIN)).headers["location"])
        odd = await browser.get(
            CALLBACK, params={"error": "<b>", "state": again["state"], "iss": door.issuer}
        )

    assert (answer.status_code, odd.status_code) == (403, 403)
    assert "access_denied" in answer.text
    assert "alert" not in answer.text
    assert "<b>" not in odd.text


@pytest.mark.parametrize("iss", [None, "https://other.example", ""])
async def test_a_way_back_that_another_provider_names_is_none(door: Door, iss: str | None) -> None:
    await a_user(door)
    async with door.browser() as browser:
        back = httpx.URL(await came_back(door, browser)).copy_remove_param("iss")
        named = back if iss is None else back.copy_set_param("iss", iss)

        assert (await browser.get(named)).status_code == 403


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/auth/device/../../x",
        "/auth/device?x",
        "javascript:alert(1)",
        "/api/v1/users",
    ],
)
async def test_nobody_is_sent_on_to_where_a_link_says(door: Door, following: str) -> None:
    async with door.browser() as browser:
        answer = await browser.get(LOGIN, params={"next": following})

    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["?state=x&code=y", "", "?state=" + "x" * 300, "?code=y&iss=z"])
async def test_who_never_left_does_not_come_back(door: Door, path: str) -> None:
    async with door.browser() as browser:
        await browser.get(LOGIN)
        answer = await browser.get(CALLBACK + path)

    assert answer.status_code in (400, 403)
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("secure", [False, True])
async def test_the_cookie_of_the_way_is_for_us_and_no_script(door: Door, *, secure: bool) -> None:
    parts = door.api.app.state.parts
    public = "https://orion.example" if secure else HERE
    settings = parts.settings.model_copy(update={"public_url": public})
    door.api.app.state.parts = replace(parts, settings=settings)

    async with door.browser() as browser:
        given = (await browser.get(LOGIN)).headers["set-cookie"]

    assert given.startswith("__Host-orion-away=" if secure else "orion-away=")
    assert {"HttpOnly", "SameSite=lax", "Max-Age=600"} <= {part.strip() for part in given.split(";")}
    assert ("Secure" in given) == secure


async def test_a_program_is_let_in_by_somebody_who_signs_in_there(door: Door) -> None:
    await a_user(door)
    lamp = await begun(door.api)
    async with door.browser() as browser:
        page = await browser.get("/auth/device", params={"user_code": lamp["user_code"]})
        assert "Sign in with 127.0.0.1" in page.text
        assert f"next=%2Fauth%2Fdevice&amp;user_code={lamp['user_code']}" in page.text
        back = await came_back(door, browser, next="/auth/device", user_code=lamp["user_code"])
        shown = await browser.get(back)
        done = await browser.post("/auth/device/decision", data={**fields(shown), "approve": "yes"})
    grant: dict[str, Any] = (await asked(door.api, lamp)).json()

    assert "a lamp" in shown.text
    assert "SameSite=strict" in shown.headers["set-cookie"]
    assert "goes on as mia" in done.text
    assert (await role_of(door.api, grant["access_token"]))[1]["username"] == "mia"


async def test_who_is_taken_back_is_out_at_once(door: Door) -> None:
    await a_user(door)
    grant = (await signed_in(door)).json()

    gone = await door.api.http.delete("users/mia/identities", params={"subject": MIA})
    again = await door.api.http.delete("users/mia/identities", params={"subject": MIA})

    assert (gone.status_code, again.status_code) == (204, 404)
    assert (await role_of(door.api, grant["access_token"]))[0] == 401
    assert (await signed_in(door)).status_code == 403


async def test_a_person_there_is_one_user_here(door: Door) -> None:
    await a_user(door, subject=None)
    await a_user(door, "max", subject=None)
    await door.api.store.write(
        partial(users.add, username="hub", role=UserRole.HOME_ASSISTANT, actor=ADMIN, now=NOON)
    )

    def linked(name: str, **body: Any) -> Any:
        return door.api.http.post(f"users/{name}/identities", json={"subject": MIA, **body})

    answers = [await linked(name) for name in ("mia", "max", "mia", "nobody", "hub")]
    other = await linked("max", issuer="https://other.example")
    listed = (await door.api.http.get("users/mia/identities")).json()["items"]

    assert [answer.status_code for answer in answers] == [201, 409, 409, 404, 403]
    assert other.status_code == 201
    assert [(each["issuer"], each["subject"]) for each in listed] == [(door.issuer, MIA)]


@pytest.mark.parametrize(
    "body",
    [
        {"subject": ""},
        {"subject": "x\x00"},
        {"subject": "x" * 256},
        {"subject": "x", "issuer": "\x00"},
        {"subject": "x", "issuer": "login.example"},
        {"subject": "x", "issuer": "https://a b"},
        {},
    ],
)
async def test_who_is_linked_is_named_rightly(door: Door, body: dict[str, str]) -> None:
    await a_user(door, subject=None)

    linked = await door.api.http.post("users/mia/identities", json=body)
    unlinked = await door.api.http.delete("users/mia/identities", params=body)

    assert (linked.status_code, unlinked.status_code) == (422, 422)


async def test_a_user_by_a_provider_needs_no_password_and_has_none(door: Door) -> None:
    await a_user(door)

    assert (await signed_in(door)).status_code == 200
    assert (await sign_in(door.api, "mia", "")).status_code == 400
    assert not (await door.api.http.get("users/mia")).json()["signs_in"]


async def test_a_program_that_comes_there_is_told_as_everywhere(door: Door) -> None:
    transport = httpx.ASGITransport(door.api.app)
    async with httpx.AsyncClient(transport=transport, base_url=HERE) as program:
        answers = [await program.get(CALLBACK), await program.get(LOGIN, params={"next": "//evil"})]

    assert [answer.status_code for answer in answers] == [403, 422]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}


async def test_without_a_provider_nobody_is_sent_anywhere(api: Api) -> None:
    transport = httpx.ASGITransport(api.app)
    async with httpx.AsyncClient(transport=transport, base_url=HERE) as browser:
        answer = await browser.get(LOGIN)
        page = await browser.get("/auth/device", params={"user_code": "BCDFGHJK"})

    assert answer.status_code == 404
    assert "Sign in with" not in page.text
