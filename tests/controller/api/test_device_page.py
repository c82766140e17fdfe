"""The page for programs without a browser: who sees what, what counts as an answer, what a stranger's site can do."""

import html
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import pytest

from controller.services.users import UserRole
from tests.controller.api.conftest import Api
from tests.controller.api.people import PASSWORD, actions, role_of, somebody
from tests.controller.api.test_device_flow import asked, begun

OTHER = "a dog has only one"


@asynccontextmanager
async def browser(api: Api, base: str = "http://orion") -> AsyncIterator[httpx.AsyncClient]:
    """Somebody's browser."""
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        yield client


def fields(page: httpx.Response) -> dict[str, str]:
    """What the forms of a page hold that nobody sees."""
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    return {name: html.unescape(value) for name, value in found}


async def opened(client: httpx.AsyncClient, user_code: str) -> httpx.Response:
    """The page that asks who one is."""
    return await client.get("/auth/device", params={"user_code": user_code})


async def signed_in(
    client: httpx.AsyncClient,
    page: httpx.Response,
    username: str = "mia",
    password: str = PASSWORD,
    **more: str,
) -> httpx.Response:
    """What comes of signing in there."""
    form = {**fields(page), "username": username, "password": password, **more}
    return await client.post("/auth/device", data=form)


async def decided(client: httpx.AsyncClient, page: httpx.Response, answer: str) -> httpx.Response:
    """What comes of an answer."""
    return await client.post("/auth/device/decision", data={**fields(page), "approve": answer})


@pytest.fixture
async def lamp(api: Api) -> dict[str, Any]:
    """A lamp that waits, and mia, who can let it in."""
    await somebody(api, "mia", UserRole.OPERATOR)
    return await begun(api)


async def test_a_person_types_the_code_signs_in_sees_who_asks_and_says_yes(
    api: Api, lamp: dict[str, Any]
) -> None:
    async with browser(api) as mia:
        first = await mia.get("/auth/device")
        page = await opened(mia, lamp["user_code"].lower())
        shown = await signed_in(mia, page)
        done = await decided(mia, shown, "yes")
    grant = (await asked(api, lamp)).json()

    assert 'name="user_code"' in first.text
    assert lamp["user_code"] in page.text
    assert "a lamp" not in page.text  # who waits is nobody's business who has not signed in
    for seen in ("“a lamp”", "127.0.0.1", lamp["user_code"], "let it in as mia"):
        assert seen in shown.text
    assert "goes on as mia" in done.text
    assert await role_of(api, grant["access_token"]) == (200, {"username": "mia", "role": "operator"})


async def test_a_no_keeps_it_out(api: Api, lamp: dict[str, Any]) -> None:
    async with browser(api) as mia:
        shown = await signed_in(mia, await opened(mia, lamp["user_code"]))
        done = await decided(mia, shown, "no")

    assert "told no" in done.text
    assert (await asked(api, lamp)).json()["error"] == "access_denied"


async def test_whatever_is_no_yes_is_a_no(api: Api, lamp: dict[str, Any]) -> None:
    async with browser(api) as mia:
        shown = await signed_in(mia, await opened(mia, lamp["user_code"]))
        await mia.post("/auth/device/decision", data=fields(shown))

    assert (await asked(api, lamp)).json()["error"] == "access_denied"


async def test_an_answer_counts_once(api: Api, lamp: dict[str, Any]) -> None:
    async with browser(api) as mia:
        shown = await signed_in(mia, await opened(mia, lamp["user_code"]))
        cookies = dict(mia.cookies)
        await decided(mia, shown, "no")
        mia.cookies.update(cookies)
        again = await decided(mia, shown, "yes")

    assert again.status_code == 409
    assert (await asked(api, lamp)).json()["error"] == "access_denied"


async def test_an_answer_from_another_browser_is_none(api: Api, lamp: dict[str, Any]) -> None:
    async with browser(api) as mia, browser(api) as thief:
        shown = await signed_in(mia, await opened(mia, lamp["user_code"]))
        without = await decided(thief, shown, "yes")
        await opened(thief, lamp["user_code"])
        with_their_own = await decided(thief, shown, "yes")

    assert (without.status_code, with_their_own.status_code) == (403, 409)
    assert (await asked(api, lamp)).json()["error"] == "authorization_pending"


async def test_a_form_that_another_site_sends_is_refused(api: Api, lamp: dict[str, Any]) -> None:
    form = {"user_code": lamp["user_code"], "username": "mia", "password": PASSWORD}
    async with browser(api) as mia, browser(api) as attacker:
        bare = await mia.post("/auth/device", data=form)
        theirs = fields(await opened(attacker, lamp["user_code"]))
        await opened(mia, lamp["user_code"])
        forged = await mia.post("/auth/device", data={**form, **theirs})

    assert (bare.status_code, forged.status_code) == (403, 403)
    assert "a lamp" not in bare.text + forged.text


async def test_somebody_who_was_shut_out_meanwhile_says_nothing(api: Api, lamp: dict[str, Any]) -> None:
    async with browser(api) as mia:
        shown = await signed_in(mia, await opened(mia, lamp["user_code"]))
        await api.http.post("users/mia/disable")
        late = await decided(mia, shown, "yes")

    assert late.status_code == 409
    assert (await asked(api, lamp)).json()["error"] == "authorization_pending"


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("mia", OTHER),
        ("nobody", PASSWORD),
        ("../x", PASSWORD),
        ("mia\x00", PASSWORD),
        ("", ""),
        ("mia", "x" * 999),
    ],
)
async def test_whoever_is_not_let_in_sees_nobody_and_is_told_the_same(
    api: Api, lamp: dict[str, Any], username: str, password: str
) -> None:
    async with browser(api) as stranger:
        page = await opened(stranger, lamp["user_code"])
        answer = await signed_in(stranger, page, username, password)
        again = await signed_in(stranger, answer)

    assert answer.status_code == 400
    assert "The name or the password is wrong" in answer.text
    assert "a lamp" not in answer.text
    assert "a lamp" in again.text  # and the page goes on to work


async def test_a_password_for_once_is_changed_on_the_way(api: Api, lamp: dict[str, Any]) -> None:
    once = (await api.http.put("users/mia/password", json={})).json()["password"]
    async with browser(api) as mia:
        asked_for = await signed_in(mia, await opened(mia, lamp["user_code"]), password=once)
        short = await signed_in(mia, asked_for, password=once, new_password="short")
        shown = await signed_in(mia, short, password=once, new_password=OTHER)

    assert 'name="new_password"' in asked_for.text
    assert (asked_for.status_code, short.status_code) == (400, 400)
    assert "a lamp" in shown.text


async def test_guessing_passwords_and_codes_there_has_to_wait(api: Api, lamp: dict[str, Any]) -> None:
    async with browser(api) as mia:
        page = await opened(mia, "BCDF-BCDF")
        codes = [await signed_in(mia, page) for _ in range(5)]
        page = await opened(mia, lamp["user_code"])
        wrong = [
            await signed_in(mia, page := await opened(mia, "BCDFBCDF"), password=OTHER) for _ in range(5)
        ]

    assert [answer.status_code for answer in codes] == [404] * 4 + [429]
    assert [answer.status_code for answer in wrong] == [400] * 4 + [429]
    assert "BCDF-BCDF" in wrong[-1].text  # it need not be typed again
    assert int(codes[-1].headers["retry-after"]) > 0
    noted = [action for action, _ in await actions(api)]
    assert noted.count("user.device_code_unknown") == 4


async def test_what_a_program_says_of_itself_is_text(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    client = "</dd><script>alert(1)</script>{body}\"'"
    lamp = (await api.http.post("auth/device", data={"client_id": client})).json()

    async with browser(api) as mia:
        shown = await signed_in(mia, await opened(mia, lamp["user_code"]))

    assert "<script" not in shown.text
    assert html.escape(client) in shown.text


@pytest.mark.parametrize(
    "code", ['"><script>alert(1)</script>', "%22%3E", "x" * 41, "{form}", "bcdf\r\nSet-Cookie: a=b"]
)
async def test_what_is_typed_as_a_code_is_text(api: Api, code: str) -> None:
    async with browser(api) as somebody_else:
        page = await opened(somebody_else, code)

    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert "x" * 41 not in page.text


async def test_no_page_loads_sends_or_keeps_anything(api: Api, lamp: dict[str, Any]) -> None:
    async with browser(api) as mia:
        pages = [await mia.get("/auth/device"), await opened(mia, lamp["user_code"])]
        pages.append(await signed_in(mia, pages[-1]))
        pages.append(await mia.post("/auth/device", data={"user_code": "x" * 50}))
        pages.append(await decided(mia, pages[2], "yes"))

    for page in pages:
        policy = page.headers["content-security-policy"]
        assert policy.startswith(
            "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        assert "unsafe" not in policy
        style = page.text.partition("<style>")[2].partition("</style>")[0]
        assert f"style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<script|<img|<link|\son\w+=|src=|http", page.text)
    assert [page.status_code for page in pages] == [200, 200, 200, 400, 200]


@pytest.mark.parametrize(
    ("public", "name", "secure"),
    [("http://127.0.0.1:8180", "orion-page", False), ("https://orion.example", "__Host-orion-page", True)],
)
async def test_the_cookie_is_for_this_site_and_no_script(
    api: Api, lamp: dict[str, Any], public: str, name: str, *, secure: bool
) -> None:
    parts = api.app.state.parts
    settings = parts.settings.model_copy(update={"public_url": public})
    api.app.state.parts = replace(parts, settings=settings)

    async with browser(api, "https://orion") as mia:
        given = (await opened(mia, lamp["user_code"])).headers["set-cookie"]

    assert given.startswith(f"{name}=")
    assert {"HttpOnly", "SameSite=strict", "Max-Age=600", "Path=/"} <= {
        part.strip() for part in given.split(";")
    }
    assert ("Secure" in given) == secure


async def test_a_page_that_cannot_be_made_is_a_page_too(api: Api, lamp: dict[str, Any]) -> None:
    async with browser(api) as mia:
        answers = [
            await mia.post("/auth/device", content=b"--x", headers={"content-type": "multipart/form-data"}),
            await mia.post("/auth/device/decision", data={}),
            await mia.post("/auth/device", data={"form": "x"}),
        ]

    assert {answer.headers["content-type"].partition(";")[0] for answer in answers} == {"text/html"}
    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert all('<a href="/auth/device">' in answer.text for answer in answers)


@pytest.mark.parametrize("path", ["/auth/device/", "/auth/device/decision"])
async def test_the_address_of_an_answer_leads_back_to_where_one_begins(api: Api, path: str) -> None:
    async with browser(api) as mia:
        answer = await mia.get(path)

    assert (answer.status_code, answer.headers["location"]) == (303, "/auth/device")
