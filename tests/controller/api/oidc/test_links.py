"""Who is linked to whom, and what follows from it."""

from functools import partial
from typing import Any

import httpx
import pytest

from controller.services import users
from controller.services.users import UserRole
from tests.controller.api.conftest import Api
from tests.controller.api.oidc.conftest import CALLBACK, HERE, LOGIN, Door
from tests.controller.api.oidc.people import a_user, came_back, signed_in
from tests.controller.api.people import role_of, sign_in
from tests.controller.api.test_device_flow import asked, begun
from tests.controller.api.test_device_page import fields
from tests.factories import ADMIN, NOON
from tests.provider import MIA


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
