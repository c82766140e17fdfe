"""What there is on the devices that somebody sees, and what the gate would say of a call there."""

from functools import partial
from typing import Any

import pytest

from controller.services import devices
from controller.services.accounts import apikeys, grants
from controller.services.accounts.apikeys import NewKey
from controller.services.accounts.grants import Place
from controller.services.actors import Role
from controller.services.users import UserRole
from controller.store.store import Session
from schemas import builtin
from tests.controller.api.conftest import Api
from tests.controller.api.people import as_somebody, sign_in, somebody
from tests.controller.api.routes.orders import CREATE, DELETE
from tests.factories import ADMIN, NOON, a_place, a_profile, a_tool


@pytest.fixture
async def pumps(api: Api, laptop: str) -> None:
    """Two pumps whose tool has one name, and a place that nobody has taken yet."""

    def fill(session: Session) -> None:
        for name, risk in (("pump", "high"), ("little-pump", "medium")):
            devices.add(session, a_place(name, groups=("pumps",)), actor=ADMIN, now=NOON)
            profile = a_profile(name, tools=[a_tool(risk=risk, description=f"Starts the {name}.")])
            devices.store_profile(session, name, profile, now=NOON)
        devices.add(session, a_place("new", groups=("pumps", "new")), actor=ADMIN, now=NOON)

    await api.store.write(fill)


async def guest(api: Api, device_id: str) -> str:
    """The token of somebody who sees one device."""
    await somebody(api, "gast", UserRole.GUEST)
    give = partial(grants.give, username="gast", place=Place(device_id), role=Role.VIEWER)
    await api.store.write(partial(give, actor=ADMIN, now=NOON))
    token: str = (await sign_in(api, "gast")).json()["access_token"]
    return token


@pytest.mark.usefixtures("pumps")
async def test_groups_are_counted_as_somebody_sees_them(api: Api) -> None:
    everything = (await api.http.get("groups")).json()["items"]
    async with as_somebody(api, await guest(api, "pump")) as gast:
        some = (await gast.get("groups")).json()["items"]

    assert everything == [{"name": "new", "devices": 1}, {"name": "pumps", "devices": 3}]
    assert some == [{"name": "pumps", "devices": 1}]


@pytest.mark.usefixtures("pumps")
async def test_tools_are_told_once_each_as_the_riskiest_device_has_them(api: Api) -> None:
    await api.store.write(
        lambda session: devices.store_profile(
            session, "little-pump", a_profile("little-pump", tools=[a_tool(risk="critical")]), now=NOON
        )
    )

    items = (await api.http.get("tools")).json()["items"]
    by_name = {each["name"]: each for each in items}

    assert list(by_name) == sorted([*builtin.TOOLS, "pump_start"])
    assert by_name["pump_start"] == {
        "name": "pump_start",
        "description": "Starts the pump.",
        "risk": "critical",
        "read_only": False,
        "devices": 2,
        "adopted": 1,  # what it is now nobody has accepted on the other one
    }
    assert by_name["path_info"]["read_only"] is True
    async with as_somebody(api, await guest(api, "pump")) as gast:
        (only,) = (await gast.get("tools")).json()["items"]
    assert (only["name"], only["devices"], only["risk"]) == ("pump_start", 1, "high")


@pytest.mark.usefixtures("pumps")
async def test_a_devices_tools_are_those_it_is_shown_with_and_not_sent_twice(api: Api) -> None:
    whole = (await api.http.get("devices/pump")).json()
    answer = await api.http.get("devices/pump/tools")

    assert answer.json() == {"device_id": "pump", "items": whole["tools"]}
    again = await api.http.get("devices/pump/tools", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    async with as_somebody(api, await guest(api, "pump")) as gast:
        for path in ("devices/laptop/tools", "devices/laptop/policy", "devices/nobody/tools"):
            assert (await gast.get(path)).status_code == 404
        assert (await gast.get("devices/pump/tools")).json() == answer.json()


@pytest.mark.usefixtures("pumps")
async def test_a_key_opens_tools_by_their_own_scope(api: Api) -> None:
    await somebody(api, "vera", UserRole.VIEWER)
    new = NewKey("panel", ["tools:read"], ["pump"], None)
    _, key = await api.store.write(
        lambda session: apikeys.create(session, "vera", new, actor=ADMIN, now=NOON)
    )

    async with as_somebody(api, key) as program:
        assert [each["name"] for each in (await program.get("tools")).json()["items"]] == ["pump_start"]
        assert (await program.get("groups")).status_code == 403
        assert (await program.get("devices/little-pump/tools")).status_code == 404


@pytest.mark.parametrize(
    ("body", "decision"),
    [(CREATE, "allow"), (DELETE, "ask"), (CREATE | {"arguments": {"path": "/etc"}}, "deny")],
)
async def test_what_the_gate_would_say_is_what_it_says(
    api: Api, laptop: str, body: dict[str, Any], decision: str
) -> None:
    told = (await api.http.post("commands/explain", json=body)).json()

    assert (await api.http.get("commands")).json()["items"] == []
    assert (await api.http.get("approvals")).json()["items"] == []
    assert (await api.http.get("audit", params={"action": "decision."})).json()["items"] == []
    made = (await api.http.post("commands", json=body)).json()
    assert told["decision"] == decision
    for name in ("device_id", "tool", "arguments", "decision", "risk", "reasons", "layers"):
        assert told[name] == made[name], name


async def test_who_does_not_see_a_device_is_told_what_a_stranger_would_be(api: Api, laptop: str) -> None:
    await api.store.write(lambda session: devices.add(session, a_place("pump"), actor=ADMIN, now=NOON))
    async with as_somebody(api, await guest(api, "pump")) as gast:
        answers = [
            (await gast.post("commands/explain", json=CREATE | {"device_id": each})).json()
            for each in ("laptop", "nobody")
        ]

    assert [each["decision"] for each in answers] == ["deny", "deny"]
    assert answers[0]["reasons"] == ["There is no device 'laptop'."]
    assert answers[1]["reasons"] == ["There is no device 'nobody'."]
    assert answers[0]["layers"][0] | {"reason": ""} == answers[1]["layers"][0] | {"reason": ""}


async def test_a_group_is_not_explained_and_a_secret_not_shown(api: Api, laptop: str) -> None:
    schema = {"type": "object", "properties": {"pin": {"type": "string", "writeOnly": True}}}
    profile = a_profile(tools=[a_tool("unlock", parameters=schema)])
    await api.store.write(lambda session: devices.store_profile(session, "laptop", profile, now=NOON))

    group = await api.http.post("commands/explain", json={"group": "lab", "tool": "unlock"})
    secret = await api.http.post(
        "commands/explain", json={"device_id": "laptop", "tool": "unlock", "arguments": {"pin": "4711"}}
    )

    assert group.status_code == 422
    assert secret.status_code == 200
    assert "4711" not in secret.text


async def test_the_release_is_told_to_whoever_is_in(api: Api) -> None:
    answer = (await api.http.get("system/version")).json()

    assert (answer["api"], answer["instance"]) == ("v1", "main")
    assert answer["version"].count(".") == 2
    assert (await api.http.get("system/version", headers={"Authorization": ""})).status_code == 401
