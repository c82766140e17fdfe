"""Lists over HTTP turn page by page, by the cursor in the body or by the link, and lose no filter on the way."""

from functools import partial
from typing import Any

import httpx
import pytest

from controller.services import devices, events, users
from controller.services.accounts import apikeys, grants
from controller.services.accounts.apikeys import NewKey
from controller.services.accounts.grants import Place
from controller.services.actors import Role
from controller.services.users import UserRole
from controller.store.store import Session
from tests.controller.api.conftest import Api
from tests.controller.api.people import as_somebody, sign_in, somebody
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile, an_event, an_execution, later

COUNT = 7


def fill(session: Session) -> None:
    """Some rows of each list."""
    for number in range(COUNT):
        odd = number % 2
        place = a_place(
            f"lab-{number}",
            name=f"Lamp {number}",
            aliases=("desk & chair",) if odd else (),
            groups=("lab",) if odd else ("lab", "hall"),
            area="cellar" if odd else None,
        )
        devices.add(session, place, actor=ADMIN, now=NOON)
        session.add(an_execution(f"c-{number}", device_id="lab-0"))
        events.store(session, "lab-0", an_event(f"e-{number}"), now=later(number))
        users.add(session, f"user{number}", UserRole.VIEWER, actor=ADMIN, now=NOON)
        new = NewKey(f"key {number}", ["commands:read"], [], None)
        apikeys.create(session, "user0", new, actor=ADMIN, now=later(number))
    devices.store_profile(session, "lab-3", a_profile("lab-3", hostname="Attic-PC"), now=NOON)
    devices.store_presence(session, "lab-3", a_presence(), now=NOON)


def linked(answer: httpx.Response) -> str | None:
    """Where the next page is, as a client that knows links finds it."""
    found = answer.links.get("next")
    return None if found is None else str(answer.url.join(found["url"]))


async def turned(client: httpx.AsyncClient, path: str, **query: Any) -> list[Any]:
    """All items, by the links; that the body says the same is seen to."""
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    items: list[Any] = answer.json()["items"]
    while (url := linked(answer)) is not None:
        assert len(answer.json()["items"]) == query["limit"]
        by_cursor = await client.get(path, params=query | {"cursor": answer.json()["next"]})
        answer = await client.get(url)
        assert answer.json() == by_cursor.json()
        items += answer.json()["items"]
    assert answer.json()["next"] is None
    return items


@pytest.mark.parametrize(
    ("path", "key", "query"),
    [
        ("devices", "device_id", {}),
        ("devices", "device_id", {"group": "lab", "q": "LAMP"}),
        ("commands", "command_id", {"device_id": "lab-0"}),
        ("events", "event_id", {"type": "low_disk_space", "unresolved": "true"}),
        ("users", "username", {}),
        ("keys", "key_id", {}),
        ("audit", "number", {"action": "user."}),
    ],
)
async def test_a_list_turns_by_its_links(api: Api, path: str, key: str, query: dict[str, Any]) -> None:
    await api.store.write(fill)
    whole = (await api.http.get(path, params=query | ({"limit": 500} if path == "audit" else {}))).json()[
        "items"
    ]

    for limit in (1, 3, COUNT):
        items = await turned(api.http, path, limit=limit, **query)
        assert [each[key] for each in items] == [each[key] for each in whole]
    assert len(whole) == COUNT


async def test_the_link_keeps_what_was_asked_for_letter_by_letter(api: Api) -> None:
    await api.store.write(fill)

    answer = await api.http.get("devices", params={"q": "desk & chair", "limit": 1, "area": "cellar"})

    url = httpx.URL(linked(answer) or "")
    assert dict(url.params) == {
        "q": "desk & chair",
        "limit": "1",
        "area": "cellar",
        "cursor": answer.json()["next"],
    }
    again = await api.http.get(url)
    assert httpx.URL(linked(again) or "").params.get_list("cursor") == [again.json()["next"]]


@pytest.mark.parametrize("evil", ['">; rel="x', "a\r\nSet-Cookie: a=b", "\u00e9<>\x7f"])
async def test_nothing_gets_out_of_the_link(api: Api, evil: str) -> None:
    for number in range(2):
        await api.store.write(
            partial(devices.add, new=a_place(f"lab-{number}", name=evil), actor=ADMIN, now=NOON)
        )

    answer = await api.http.get("devices", params={"limit": 1, "q": evil})

    assert answer.status_code == 200
    assert list(answer.links) == ["next"]
    assert "set-cookie" not in answer.headers
    assert httpx.URL(linked(answer) or "").params["q"] == evil


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"group": "hall"}, "0246"),
        ({"area": "cellar"}, "135"),
        ({"area": "cellar", "group": "hall"}, ""),
        ({"status": "online"}, "3"),
        ({"q": "lab-3"}, "3"),
        ({"q": "amp 5"}, "5"),
        ({"q": "CHAIR"}, "135"),
        ({"q": "attic"}, "3"),
        ({"q": "cellar"}, ""),
        ({"q": "%"}, ""),
    ],
)
async def test_devices_are_looked_for(api: Api, query: dict[str, str], found: str) -> None:
    await api.store.write(fill)

    whole = (await api.http.get("devices", params=query)).json()
    turning = await turned(api.http, "devices", limit=2, **query)

    assert [each["device_id"] for each in whole["items"]] == [f"lab-{each}" for each in found]
    assert (whole["next"], turning) == (None, whole["items"])


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1_001}, {"status": "well"}, {"q": ""}, {"cursor": "x"}, {"cursor": ""}]
)
async def test_what_is_no_page_is_refused(api: Api, query: dict[str, Any]) -> None:
    assert (await api.http.get("devices", params=query)).status_code == 422


async def test_who_sees_some_devices_turns_the_pages_of_those(api: Api) -> None:
    await api.store.write(fill)
    await somebody(api, "gast", UserRole.GUEST)
    hall = partial(grants.give, username="gast", place=Place(group="hall"), role=Role.VIEWER)
    await api.store.write(partial(hall, actor=ADMIN, now=NOON))
    token = (await sign_in(api, "gast")).json()["access_token"]

    async with as_somebody(api, token) as gast:
        assert [each["device_id"] for each in await turned(gast, "devices", limit=3)] == [
            f"lab-{each}" for each in (0, 2, 4, 6)
        ]
        assert await turned(gast, "devices", limit=3, area="cellar") == []
