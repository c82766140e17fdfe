"""A device is changed by who has seen it as it is; what lives of it makes no look outdated."""

import asyncio
from typing import Any

import httpx
import pytest

from controller.services import devices
from controller.services.users import UserRole
from controller.store.store import Session
from schemas.errors import ErrorCode
from tests.controller.api.conftest import Api
from tests.controller.api.people import as_somebody, sign_in, somebody
from tests.factories import NOON, a_heartbeat, a_presence, a_profile, a_tool, later

PLACE, POLICY = "devices/laptop", "devices/laptop/policy"
CHANGES: list[tuple[str, str, Any]] = [
    ("PATCH", PLACE, {"name": "x"}),
    ("POST", f"{PLACE}/adopt", {}),
    ("DELETE", PLACE, None),
    ("PUT", POLICY, {"policy": "observe", "allowed_tools": [], "allowed_paths": [], "allowed_apps": []}),
]


async def version(api: Api, path: str) -> str:
    return (await api.http.get(path)).headers["etag"]


async def sent(api: Api, method: str, path: str, body: Any, match: str | None) -> httpx.Response:
    headers = {} if match is None else {"If-Match": match}
    return await api.http.request(method, path, json=body, headers=headers)


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_a_change_of_what_nobody_says_they_saw_is_refused(
    api: Api, laptop: str, method: str, path: str, body: Any
) -> None:
    before = (await api.http.get(PLACE)).json()

    answer = await sent(api, method, path, body, None)

    assert (answer.status_code, answer.json()["code"]) == (428, ErrorCode.INVALID_ARGUMENTS)
    assert (await api.http.get(PLACE)).json() == before


@pytest.mark.parametrize(
    ("match", "status"),
    [
        ('"0123456789abcdef"', 412),
        ('W/"{0}"', 412),
        ('"{0}x"', 412),
        ('"*"', 412),
        # to look again would not help whoever says it in another way than HTTP does
        ("", 422),
        ("laptop", 422),
        ('"{0}', 422),
        ("{0}", 422),
        ("*, *", 422),
    ],
)
@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_a_change_of_something_else_than_was_seen_is_refused(
    api: Api, laptop: str, method: str, path: str, body: Any, match: str, status: int
) -> None:
    seen = await version(api, POLICY if path == POLICY else PLACE)
    before = (await api.http.get(PLACE)).json()

    answer = await sent(api, method, path, body, match.format(seen.strip('"')))

    code = ErrorCode.CONFLICT if status == 412 else ErrorCode.INVALID_ARGUMENTS
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await api.http.get(PLACE)).json() == before


@pytest.mark.parametrize("match", ["{0}", '"other", {0}', '{0},"other"', "*", " * "])
@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_who_has_seen_it_changes_it(
    api: Api, laptop: str, method: str, path: str, body: Any, match: str
) -> None:
    seen = await version(api, POLICY if path == POLICY else PLACE)

    answer = await sent(api, method, path, body, match.format(seen))

    assert answer.status_code in (200, 204), answer.text
    if method != "DELETE":
        assert answer.headers["etag"] == await version(api, POLICY if path == POLICY else PLACE)


async def test_of_two_changes_of_the_same_version_one_is_made(api: Api, laptop: str) -> None:
    seen = await version(api, PLACE)

    answers = await asyncio.gather(
        *(sent(api, "PATCH", PLACE, {"name": f"n{each}"}, seen) for each in range(10))
    )

    assert sorted(each.status_code for each in answers) == [200] + [412] * 9


async def test_what_a_device_says_all_the_time_makes_no_look_outdated(api: Api, laptop: str) -> None:
    place, policy = await version(api, PLACE), await version(api, POLICY)

    def live(session: Session) -> None:
        devices.store_heartbeat(session, "laptop", a_heartbeat(7, cpu=12.0), now=later(60))
        devices.store_presence(session, "laptop", a_presence("offline"), now=later(120))
        devices.store_presence(session, "laptop", a_presence(boot_id="boot-2"), now=later(180))
        devices.store_profile(session, "laptop", a_profile(boot_id="boot-2"), now=later(181))

    await api.store.write(live)

    assert (await version(api, PLACE), await version(api, POLICY)) == (place, policy)


async def test_other_tools_are_another_place_and_the_policy_is_what_it_was(api: Api, laptop: str) -> None:
    place, policy = await version(api, PLACE), await version(api, POLICY)
    more = a_profile(tools=[*a_profile().tools, a_tool()])

    await api.store.write(lambda session: devices.store_profile(session, "laptop", more, now=NOON))

    assert await version(api, PLACE) != place
    assert await version(api, POLICY) == policy
    await sent(api, "POST", f"{PLACE}/adopt", {}, "*")
    assert await version(api, POLICY) != policy  # one more may be used


async def test_another_name_is_no_other_policy(api: Api, laptop: str) -> None:
    place, policy = await version(api, PLACE), await version(api, POLICY)

    await sent(api, "PATCH", PLACE, {"name": "Kitchen"}, "*")

    assert await version(api, PLACE) != place
    assert await version(api, POLICY) == policy


async def test_a_place_that_was_made_anew_is_another_one(api: Api) -> None:
    seen = []
    for _ in range(2):
        await api.http.post("devices", json={"device_id": "pump"})
        seen.append(await version(api, "devices/pump"))
        await sent(api, "DELETE", "devices/pump", None, seen[-1])

    assert seen[0] != seen[1]


async def test_a_policy_that_somebody_has_is_not_sent_again(api: Api, laptop: str) -> None:
    whole = await api.http.get(POLICY)
    seen = whole.headers["etag"]

    for said in (seen, f"W/{seen}", f'"x", {seen}'):
        again = await api.http.get(POLICY, headers={"If-None-Match": said})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", seen)
        assert again.headers["cache-control"] == "private, no-cache"
    assert (await api.http.get(POLICY, headers={"If-None-Match": '"x"'})).json() == whole.json()


async def test_a_policy_says_what_its_owner_allows_and_what_follows(api: Api, laptop: str) -> None:
    body = {
        "policy": "manage",
        "allowed_tools": ["disk_usage", "path_info", "no_such_tool"],
        "allowed_paths": ["/srv/files/a", "/etc"],
        "allowed_apps": None,
    }

    put = await sent(api, "PUT", POLICY, body, await version(api, POLICY))

    view = put.json()
    assert view == (await api.http.get(POLICY)).json()
    assert {name: view[name] for name in body} == body
    assert sorted(view["effective"].pop("tools")) == ["disk_usage", "path_info"]
    assert view["effective"] == {"paths": ["/srv/files/a"], "apps": ["editor"]}
    whole = (await api.http.get(PLACE)).json()
    assert (whole["policy"], whole["owner_allows"]["apps"]) == ("manage", None)


@pytest.mark.parametrize("missing", ["policy", "allowed_tools", "allowed_paths", "allowed_apps"])
async def test_a_policy_is_replaced_as_a_whole(api: Api, laptop: str, missing: str) -> None:
    body = {"policy": "observe", "allowed_tools": None, "allowed_paths": None, "allowed_apps": None}
    del body[missing]

    assert (await sent(api, "PUT", POLICY, body, "*")).status_code == 422


async def test_who_may_not_change_it_is_told_only_that(api: Api, laptop: str) -> None:
    await somebody(api, "otto", UserRole.OPERATOR)
    token = (await sign_in(api, "otto")).json()["access_token"]

    async with as_somebody(api, token) as otto:
        for method, path, body in CHANGES:
            for headers in ({}, {"If-Match": '"x"'}, {"If-Match": "*"}):
                answer = await otto.request(method, path, json=body, headers=headers)
                assert answer.status_code == 403, (method, path, headers)
