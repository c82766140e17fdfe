"""The way there and back: once, in time, to the browser that left, and nowhere else."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlmodel import select

from controller.store.store import Session
from controller.store.tables import Attempt
from tests.controller.api.oidc.conftest import CALLBACK, HERE, LOGIN, Door, Set
from tests.controller.api.oidc.people import a_user, came_back
from tests.provider import EVE, RealProvider, query_of


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
