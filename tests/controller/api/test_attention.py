"""People take note of events and say that they are over: who operates the device, once, on record."""

from functools import partial
from typing import Any

import httpx
import pytest

from controller.services import audit, devices, events
from controller.services.accounts import grants
from controller.services.accounts.grants import Place
from controller.services.actors import Role
from controller.services.attention import MOST
from controller.services.users import UserRole
from controller.store.store import Session
from tests.controller.api.conftest import Api
from tests.controller.api.people import as_somebody, sign_in, somebody
from tests.factories import ADMIN, NOON, a_place, an_event, later

ONE = "events/laptop/event-1"


@pytest.fixture
async def noticed(api: Api, laptop: str) -> None:
    """Two devices noticed something, by the same id."""

    def fill(session: Session) -> None:
        devices.add(session, a_place("printer"), actor=ADMIN, now=NOON)
        for number, device_id in enumerate(("laptop", "printer", "gone")):
            events.store(session, device_id, an_event("event-1"), now=later(number))
        events.store(session, "laptop", an_event("a/b %2f?c"), now=later(9))

    await api.store.write(fill)


async def seen(api: Api, **query: Any) -> list[tuple[str, str]]:
    items = (await api.http.get("events", params=query)).json()["items"]
    return [(each["device_id"], each["event_id"]) for each in items]


async def recorded(api: Api, action: str) -> list[Any]:
    rows = await api.store.read(partial(audit.entries, action=action))
    return [(row.actor, row.device_id, row.detail) for row in rows]


@pytest.mark.usefixtures("noticed")
async def test_the_first_who_takes_note_stays(api: Api) -> None:
    await somebody(api, "otto", UserRole.OPERATOR)
    async with as_somebody(api, (await sign_in(api, "otto")).json()["access_token"]) as otto:
        first = (await otto.post(f"{ONE}/acknowledge")).json()
    again = await api.http.post(f"{ONE}/acknowledge")

    assert (first["acknowledged"], first["acknowledged_by"], first["resolved"]) == (True, "otto", False)
    assert first["acknowledged_at"] is not None
    assert (again.status_code, again.json()) == (200, first)
    assert await recorded(api, "event.acknowledged") == [("otto", "laptop", {"events": ["event-1"]})]
    assert await seen(api, acknowledged=True) == [("laptop", "event-1")]
    assert ("laptop", "event-1") not in await seen(api, acknowledged=False)
    assert len(await seen(api)) == 4


@pytest.mark.usefixtures("noticed")
async def test_what_somebody_says_is_over_is_over_and_noted(api: Api) -> None:
    over = (await api.http.post(f"{ONE}/resolve")).json()
    again = (await api.http.post(f"{ONE}/resolve")).json()
    noted = (await api.http.post(f"{ONE}/acknowledge")).json()

    assert (over["resolved"], over["resolved_by"], over["acknowledged_by"]) == (True, "admin", "admin")
    assert over == again == noted
    assert ("laptop", "event-1") not in await seen(api, unresolved=True)
    assert len(await recorded(api, "event.")) == 1


@pytest.mark.usefixtures("noticed")
async def test_what_its_device_ended_was_ended_by_its_device(api: Api) -> None:
    ending = an_event("event-2", resolves="event-1")
    await api.store.write(lambda session: events.store(session, "laptop", ending, now=later(60)))

    view = (await api.http.post(f"{ONE}/resolve")).json()

    assert (view["resolved"], view["resolved_by"], view["acknowledged"]) == (True, None, False)


@pytest.mark.usefixtures("noticed")
async def test_an_id_may_hold_what_paths_are_made_of(api: Api) -> None:
    answer = await api.http.post("events/laptop/a%2Fb%20%252f%3Fc/acknowledge")

    assert (answer.status_code, answer.json()["event_id"]) == (200, "a/b %2f?c")


@pytest.mark.usefixtures("noticed")
async def test_many_are_marked_together_or_none(api: Api) -> None:
    def body(*names: tuple[str, str]) -> dict[str, Any]:
        return {"events": [{"device_id": device, "event_id": event} for device, event in names]}

    wrong = await api.http.post(
        "events/acknowledge", json=body(("laptop", "event-1"), ("printer", "nothing"))
    )
    assert (wrong.status_code, await seen(api, acknowledged=True)) == (404, [])
    right = await api.http.post(
        "events/resolve",
        json=body(("laptop", "event-1"), ("printer", "event-1"), ("laptop", "event-1"), ("gone", "event-1")),
    )
    assert [each["device_id"] for each in right.json()["items"]] == ["laptop", "printer", "gone"]
    assert len(await seen(api, acknowledged=True)) == 3
    assert len(await recorded(api, "event.resolved")) == 3
    for many in ([], [("laptop", "event-1")] * (MOST + 1)):
        assert (await api.http.post("events/resolve", json=body(*many))).status_code == 422


@pytest.mark.usefixtures("noticed")
@pytest.mark.parametrize("verb", ["acknowledge", "resolve"])
async def test_only_who_operates_a_device_says_something_of_its_events(api: Api, verb: str) -> None:
    async def tried(client: httpx.AsyncClient, device_id: str) -> set[int]:
        name = {"device_id": device_id, "event_id": "event-1"}
        alone = await client.post(f"events/{device_id}/event-1/{verb}")
        together = await client.post(f"events/{verb}", json={"events": [name]})
        return {alone.status_code, together.status_code}

    for name, role, granted in (
        ("vera", UserRole.VIEWER, Role.OPERATOR),
        ("gast", UserRole.GUEST, Role.OPERATOR),
        ("gus", UserRole.GUEST, Role.VIEWER),
    ):
        await somebody(api, name, role)
        give = partial(grants.give, username=name, place=Place("printer"), role=granted)
        await api.store.write(partial(give, actor=ADMIN, now=NOON))
    found: dict[str, list[set[int]]] = {}
    for name in ("gus", "vera", "gast"):
        async with as_somebody(api, (await sign_in(api, name)).json()["access_token"]) as client:
            found[name] = [await tried(client, each) for each in ("laptop", "gone", "printer")]

    assert found == {
        "gus": [{404}, {404}, {403}],
        "vera": [{403}, {403}, {200}],
        "gast": [{404}, {404}, {200}],
    }
