"""Passwords: the first one, those for once, and who may give whom another one."""

from datetime import timedelta
from functools import partial

import argon2
import pytest

from controller.services import users
from controller.services.accounts import passwords
from controller.services.users import UserRole
from controller.store.store import Session
from controller.store.tables import User
from tests.controller.api.conftest import Api
from tests.controller.api.people import PASSWORD, actions, as_somebody, role_of, sign_in, somebody
from tests.factories import NOON

OTHER = "a dog has only one"


async def test_the_first_password_is_said_once_and_opens_once(api: Api) -> None:
    await api.store.write(partial(users.ensure_admin, now=NOON))
    first = await api.http.post("auth/first")
    again = await api.http.post("auth/first")
    once = first.json()["password"]

    asked = await sign_in(api, "admin", once)
    same = await sign_in(api, "admin", once, new_password=once)
    short = await sign_in(api, "admin", once, new_password="short")
    chosen = await sign_in(api, "admin", once, new_password=OTHER)
    used = await sign_in(api, "admin", once)
    later = await sign_in(api, "admin", OTHER)

    assert (first.status_code, again.status_code) == (201, 409)
    assert (asked.status_code, asked.json()["error"]) == (400, "password_change_required")
    assert (same.status_code, short.status_code, chosen.status_code) == (400, 400, 200)
    assert (used.status_code, later.status_code) == (400, 200)
    assert await role_of(api, later.json()["access_token"]) == (200, {"username": "admin", "role": "admin"})


@pytest.mark.parametrize(("age", "status"), [(timedelta(days=6, hours=23), 200), (timedelta(days=7), 400)])
async def test_a_password_for_once_runs_out(api: Api, age: timedelta, status: int) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    once = (await api.http.put("users/mia/password", json={})).json()["password"]

    def age_it(session: Session) -> None:
        row = session.get_one(User, "mia")
        assert row.password_at is not None
        row.password_at -= age

    await api.store.write(age_it)
    answer = await sign_in(api, "mia", once, new_password=OTHER)

    assert answer.status_code == status
    assert ("7 days" in answer.text) == (status == 400)


async def test_the_first_user_stays(api: Api) -> None:
    await api.store.write(partial(users.ensure_admin, now=NOON))

    answers = [
        await api.http.delete("users/admin"),
        await api.http.patch("users/admin", json={"role": "viewer"}),
        await api.http.post("users/admin/disable"),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]


async def test_a_new_password_ends_what_the_old_one_opened(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    grant = (await sign_in(api, "mia")).json()

    async with as_somebody(api, grant["access_token"]) as mia:
        without = await mia.put("users/mia/password", json={"password": OTHER})
        wrong = await mia.put("users/mia/password", json={"password": OTHER, "current": OTHER})
        done = await mia.put("users/mia/password", json={"password": OTHER, "current": PASSWORD})

    assert (without.status_code, wrong.status_code, done.status_code) == (403, 403, 200)
    assert (await role_of(api, grant["access_token"]))[0] == 401
    assert (await sign_in(api, "mia")).status_code == 400
    assert (await sign_in(api, "mia", OTHER)).status_code == 200


async def test_somebody_elses_password_is_not_even_looked_at(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    await somebody(api, "max", UserRole.VIEWER, OTHER)
    token = (await sign_in(api, "mia")).json()["access_token"]

    async with as_somebody(api, token) as mia:
        right = await mia.put("users/max/password", json={"password": PASSWORD, "current": OTHER})

    assert right.status_code == 403
    assert (await sign_in(api, "max", OTHER)).status_code == 200


async def test_guessing_within_does_not_lock_the_door_nor_the_other_way(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    token = (await sign_in(api, "mia")).json()["access_token"]

    async with as_somebody(api, token) as mia:
        body = {"password": OTHER, "current": OTHER}
        within = [await mia.put("users/mia/password", json=body) for _ in range(5)]
        at_the_door = [await sign_in(api, "mia", OTHER) for _ in range(3)]
        right = await sign_in(api, "mia")

    assert [answer.status_code for answer in within] == [403] * 4 + [429]
    assert [answer.status_code for answer in at_the_door] == [400] * 3
    assert right.status_code == 200
    failures = [detail for action, detail in await actions(api) if action == "user.sign_in_failed"]
    assert len(failures) == 7


async def test_nobody_changes_the_password_of_another_but_an_administrator(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    await somebody(api, "max", UserRole.VIEWER, OTHER)
    token = (await sign_in(api, "mia")).json()["access_token"]

    async with as_somebody(api, token) as mia:
        taken = await mia.put("users/max/password", json={"password": PASSWORD})
        guessed = await mia.put("users/max/password", json={"password": PASSWORD, "current": PASSWORD})
    made = await api.http.put("users/max/password", json={})

    assert (taken.status_code, guessed.status_code) == (403, 403)
    assert made.status_code == 200
    asked = await sign_in(api, "max", made.json()["password"])
    assert asked.json()["error"] == "password_change_required"


async def test_a_password_kept_by_older_figures_is_kept_by_those_of_now(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    older = argon2.PasswordHasher(time_cost=1, memory_cost=1_024, parallelism=1).hash(PASSWORD)

    def age(session: Session) -> None:
        session.get_one(User, "mia").password_hash = older

    await api.store.write(age)
    assert (await sign_in(api, "mia")).status_code == 200

    kept = await api.store.read(lambda session: session.get_one(User, "mia").password_hash)
    assert kept is not None
    assert passwords.is_outdated(older)
    assert not passwords.is_outdated(kept)
    assert (await sign_in(api, "mia")).status_code == 200


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
async def test_what_is_no_password_is_refused_with_what_is(api: Api, password: str) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)

    answer = await api.http.put("users/mia/password", json={"password": password})

    assert answer.status_code == 422
    assert "12 to 256 characters" in answer.json()["detail"]
    assert (await sign_in(api, "mia")).status_code == 200
