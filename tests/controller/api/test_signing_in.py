"""Signing in: what is let in, what is not, and that nobody learns more than that."""

import asyncio
from functools import partial

import pytest
from sqlmodel import select

from controller.services import users
from controller.services.users import UserRole
from controller.store.store import Session
from controller.store.tables import AuditEntry, RefreshToken, SignIn, User
from tests.controller.api.conftest import Api
from tests.controller.api.people import PASSWORD, actions, post, renew, role_of, sign_in, somebody
from tests.factories import ADMIN, NOON

OTHER = "a dog has only one"


async def test_a_name_and_a_password_open_the_api_with_ones_role(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)

    answer = await sign_in(api, "mia", client_id="a test")

    grant = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert (grant["token_type"], grant["expires_in"]) == ("Bearer", 900)
    assert await role_of(api, grant["access_token"]) == (200, {"username": "mia", "role": "operator"})


async def test_whoever_is_not_let_in_is_told_the_same(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    await somebody(api, "max", UserRole.OPERATOR)
    await api.store.write(partial(users.disable, username="max", actor=ADMIN, now=NOON))
    await api.store.write(
        partial(users.add, username="hub", role=UserRole.HOME_ASSISTANT, actor=ADMIN, now=NOON)
    )

    answers = [
        await sign_in(api, "mia", OTHER),
        await sign_in(api, "max"),
        await sign_in(api, "hub"),
        await sign_in(api, "nobody"),
        await sign_in(api, "mia", "x" * 1_000),
    ]

    assert {answer.status_code for answer in answers} == {400}
    assert len({str(answer.json() | {"trace_id": ""}) for answer in answers}) == 1
    assert answers[0].json()["error"] == "invalid_grant"


async def test_a_password_is_nowhere_but_in_its_hash(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    await sign_in(api, "mia", OTHER)
    await sign_in(api, "mia")
    typed_as_a_name = await sign_in(api, "correct.horse.battery")

    def everything(session: Session) -> str:
        tables = (User, SignIn, RefreshToken, AuditEntry)
        return str([row.model_dump() for table in tables for row in session.exec(select(table))])

    kept = await api.store.read(everything)
    assert typed_as_a_name.status_code == 400
    assert PASSWORD not in kept
    assert OTHER not in kept
    assert "correct.horse.battery" not in kept
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in kept


async def test_a_refused_form_does_not_repeat_what_was_typed(api: Api) -> None:
    form = {"grant_type": "secret", "username": "mia", "password": PASSWORD, "more": PASSWORD}

    answer = await post(api, "auth/token", form)

    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")
    assert PASSWORD not in answer.text


FORM = "application/x-www-form-urlencoded"
MALFORMED = [
    (b"\xff\xfe=1&grant_type=password", FORM, "invalid_request"),
    (b"", FORM, "invalid_request"),
    (b"username=mia&password=x", FORM, "invalid_request"),
    (b"grant_type=&username=mia", FORM, "invalid_request"),
    (b"grant_type=password&username=mia", FORM, "invalid_request"),
    (b"grant_type=password&username=../..&password=x", FORM, "invalid_request"),
    (b"grant_type=password&grant_type=password&username=mia&password=x", FORM, "invalid_request"),
    (b"grant_type=refresh_token", FORM, "invalid_request"),
    (b"grant_type=refresh_token&refresh_token=" + b"x" * 300, FORM, "invalid_request"),
    (b"grant_type=client_credentials", FORM, "unsupported_grant_type"),
    (b"grant_type=password&username=mia&password=%ED%A0%80", FORM, "invalid_grant"),
    (b"grant_type=refresh_token&refresh_token=%00", FORM, "invalid_grant"),
    (b"&".join(b"a%d=1" % n for n in range(3_000)), FORM, "invalid_request"),
    (b'{"grant_type": "password"}', "application/json", "invalid_request"),
    (
        b"--x\r\nContent-Disposition: form-data; name=password; filename=a\r\n\r\n1\r\n--x--",
        "multipart/form-data; boundary=x",
        "invalid_request",
    ),
    (b"--x", "multipart/form-data", "invalid_request"),
]


@pytest.mark.parametrize(("body", "kind", "error"), MALFORMED)
async def test_what_is_no_request_of_oauth_is_told_so_in_its_words(
    api: Api, body: bytes, kind: str, error: str
) -> None:
    answer = await api.http.post("auth/token", content=body, headers={"Content-Type": kind})

    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_parameter_that_is_not_known_is_ignored(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)

    answer = await sign_in(api, "mia", audience="somebody", scope="everything")

    assert answer.status_code == 200


async def test_no_answer_of_the_token_route_is_kept_by_who_passes_it_on(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    too_long = {"Content-Type": FORM, "Content-Length": "999999999"}

    answers = [
        await sign_in(api, "mia"),
        *[await sign_in(api, "mia", OTHER) for _ in range(5)],
        await api.http.get("auth/token"),
        await api.http.post("auth/token", content=b"x", headers=too_long),
    ]

    assert [answer.status_code for answer in answers] == [200, 400, 400, 400, 400, 429, 405, 413]
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


@pytest.mark.parametrize(
    ("shown", "challenge"),
    [
        ("", 'Bearer realm="orion"'),
        ("Basic bWlhOnNlY3JldA==", 'Bearer realm="orion"'),
        ("Bearer", 'Bearer realm="orion"'),
        ("Bearer nonsense", 'Bearer realm="orion", error="invalid_token"'),
        ("bearer ey.J.x", 'Bearer realm="orion", error="invalid_token"'),
        (f"Bearer {'x' * 4_001}", 'Bearer realm="orion", error="invalid_token"'),
    ],
)
async def test_a_token_that_is_none_is_told_apart_from_none(api: Api, shown: str, challenge: str) -> None:
    answer = await api.http.get("devices", headers={"Authorization": shown})

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, challenge)


async def test_each_renewal_takes_the_place_of_the_one_before(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    first = (await sign_in(api, "mia")).json()

    second = (await renew(api, first["refresh_token"])).json()
    third = (await renew(api, second["refresh_token"])).json()

    assert len({each["refresh_token"] for each in (first, second, third)}) == 3
    assert (await role_of(api, third["access_token"]))[0] == 200


async def test_a_refresh_token_that_is_shown_again_ends_the_sign_in_for_both(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    stolen = (await sign_in(api, "mia")).json()
    other = (await sign_in(api, "mia")).json()
    owner = (await renew(api, stolen["refresh_token"])).json()
    owner = (await renew(api, owner["refresh_token"])).json()

    reused = await renew(api, stolen["refresh_token"])
    after = await renew(api, owner["refresh_token"])

    assert (reused.status_code, after.status_code) == (400, 400)
    assert (await role_of(api, owner["access_token"]))[0] == 401
    assert (await role_of(api, other["access_token"]))[0] == 200  # a sign-in of its own
    assert [action for action, _ in await actions(api)][-1] == "user.token_reused"


async def test_an_answer_that_was_lost_does_not_cost_the_sign_in(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    first = (await sign_in(api, "mia")).json()
    await renew(api, first["refresh_token"])  # and nobody reads what comes of it

    again = await renew(api, first["refresh_token"])
    following = await renew(api, again.json()["refresh_token"])

    assert (again.status_code, following.status_code) == (200, 200)


async def test_of_many_renewals_at_once_one_goes_on(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    token = (await sign_in(api, "mia")).json()["refresh_token"]

    answers = await asyncio.gather(*(renew(api, token) for _ in range(5)))
    made = [answer.json()["refresh_token"] for answer in answers]

    def unused(session: Session) -> int:
        return len([row for row in session.exec(select(RefreshToken)) if row.used_at is None])

    assert [answer.status_code for answer in answers] == [200] * 5
    assert len(set(made)) == 5
    assert await api.store.read(unused) == 1


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_who_signs_out_is_out_at_once(api: Api, which: str) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    grant = (await sign_in(api, "mia")).json()

    gone = await post(api, "auth/revoke", {"token": grant[which]})
    again = await post(api, "auth/revoke", {"token": grant[which]})

    assert (gone.status_code, again.status_code) == (200, 200)
    assert (await role_of(api, grant["access_token"]))[0] == 401
    assert (await renew(api, grant["refresh_token"])).status_code == 400


async def test_what_one_may_is_looked_at_anew_at_each_request(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    grant = (await sign_in(api, "mia")).json()

    await api.http.patch("users/mia", json={"role": "viewer"})
    changed = await role_of(api, grant["access_token"])
    await api.http.post("users/mia/disable")
    disabled = await role_of(api, grant["access_token"])
    await api.http.post("users/mia/enable")
    enabled = await role_of(api, grant["access_token"])
    back = await sign_in(api, "mia")

    assert changed[1]["role"] == "viewer"
    assert (disabled[0], enabled[0], back.status_code) == (401, 401, 200)


async def test_a_removed_user_leaves_no_way_in(api: Api) -> None:
    await somebody(api, "mia", UserRole.ADMIN)
    grant = (await sign_in(api, "mia")).json()

    await api.http.delete("users/mia")
    await somebody(api, "mia", UserRole.VIEWER, OTHER)

    assert (await role_of(api, grant["access_token"]))[0] == 401
    assert (await renew(api, grant["refresh_token"])).status_code == 400


async def test_who_may_not_sign_in_any_more_by_their_role_is_out(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    grant = (await sign_in(api, "mia")).json()

    await api.http.patch("users/mia", json={"role": "home_assistant"})
    gone = await role_of(api, grant["access_token"])
    renewed = await renew(api, grant["refresh_token"])
    out = await post(api, "auth/revoke", {"token": grant["refresh_token"]})

    assert (gone[0], renewed.status_code, out.status_code) == (401, 400, 200)


@pytest.mark.parametrize("username", ["mia", "nobody"])
async def test_guessing_has_to_wait_whether_there_is_such_a_name_or_not(api: Api, username: str) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)

    answers = [await sign_in(api, username, OTHER) for _ in range(5)]
    right = await sign_in(api, username)

    assert [answer.status_code for answer in answers] == [400] * 4 + [429]
    assert right.status_code == 429
    assert right.json()["code"] == "rate_limited"
    assert 1 <= int(right.headers["retry-after"]) <= 2


@pytest.mark.parametrize("remedy", ["another password", "enabled"])
async def test_whoever_was_made_to_wait_is_let_in_by_an_administrator(api: Api, remedy: str) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    for _ in range(5):
        await sign_in(api, "mia", OTHER)
    assert (await sign_in(api, "mia")).status_code == 429

    if remedy == "enabled":
        await api.http.post("users/mia/disable")
        await api.http.post("users/mia/enable")
        assert (await sign_in(api, "mia")).status_code == 200
    else:
        made = (await api.http.put("users/mia/password", json={})).json()["password"]
        assert (await sign_in(api, "mia", made, new_password=OTHER)).status_code == 200


async def test_many_guesses_at_once_are_many(api: Api) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)

    answers = await asyncio.gather(*(sign_in(api, "mia", OTHER) for _ in range(12)))

    assert sorted(answer.status_code for answer in answers) == [400] * 4 + [429] * 8
