"""Who is there for whom: every route that names a device, a command, an event or a card, with all kinds of people."""

from functools import partial

import httpx
import pytest

from controller.services import approvals, commands, devices, events, users
from controller.services.accounts import grants
from controller.services.accounts.grants import Place
from controller.services.actors import Actor, Role
from controller.services.users import UserRole
from schemas.commands import Via
from tests.controller.api.arranged import World, asked
from tests.controller.api.conftest import Api
from tests.controller.api.fleet import LAB, OPERATORS, OTHER, OWN, PEOPLE, a_fleet, ordered, row_of, token_of
from tests.controller.api.people import as_somebody
from tests.controller.api.table import TABLE
from tests.factories import ADMIN, NOON, an_event

NAMING = sorted(route for route in TABLE if "{device_id}" in route or "{other_id}" in route)
NOBODYS = "0190a000-0000-7000-8000-000000000000"


def not_there(answer: httpx.Response, device_id: str) -> bool:
    return answer.status_code == 404 and answer.json()["detail"] == f"There is no device {device_id!r}."


@pytest.mark.parametrize("name", ["kim", "lee", "gus"])
async def test_a_device_that_is_not_seen_is_answered_like_one_that_never_was(api: Api, name: str) -> None:
    world = World(api)
    await world.before("GET /devices", OWN)
    async with as_somebody(api, await token_of(api, name)) as client:
        for route in NAMING:
            at = await world.before(route, OTHER)
            for device_id in (OTHER, "nobody"):
                there = at | {"device_id": device_id, "other_id": device_id}
                answer = await client.request(**asked(route, TABLE[route], there))

                assert not_there(answer, device_id), (route, device_id, answer.text)


@pytest.mark.parametrize("name", PEOPLE)
async def test_a_list_has_the_devices_that_are_there_for_somebody(api: Api, name: str) -> None:
    await a_fleet(api)
    async with as_somebody(api, await token_of(api, name)) as client:
        listed = (await client.get("devices")).json()["items"]

    assert {each["device_id"] for each in listed} == PEOPLE[name][2]


@pytest.mark.parametrize("name", PEOPLE)
async def test_others_commands_are_seen_where_their_devices_are_and_whole_by_who_may_order(
    api: Api, name: str
) -> None:
    await a_fleet(api)
    ids = {device_id: await ordered(api, device_id) for device_id in (OWN, OTHER)}
    seen = PEOPLE[name][2]
    async with as_somebody(api, await token_of(api, name)) as client:
        listed = {each["command_id"]: each for each in (await client.get("commands")).json()["items"]}
        assert listed.keys() == {ids[device_id] for device_id in seen}
        for device_id, command_id in ids.items():
            answer = await client.get(f"commands/{command_id}")
            watched = await client.get(f"commands/{command_id}/watch", params={"within_s": 0.01})
            if device_id not in seen:
                stranger = await client.get(f"commands/{NOBODYS}")
                assert answer.status_code == watched.status_code == stranger.status_code == 404
                assert answer.json()["detail"] == stranger.json()["detail"].replace(NOBODYS, command_id)
                continue
            whole = name in OPERATORS[device_id]
            for shown in (listed[command_id], answer.json(), watched.json()):
                assert (shown["arguments"] is not None) == (shown["reasons"] is not None) == whole
                assert (shown["user_query"] is not None) == (name == "anna")


@pytest.mark.parametrize("name", PEOPLE)
async def test_others_commands_are_stopped_by_who_may_order_there(api: Api, name: str) -> None:
    await a_fleet(api)
    async with as_somebody(api, await token_of(api, name)) as client:
        for device_id in (OWN, OTHER):
            command_id = await ordered(api, device_id)
            answer = await client.post(f"commands/{command_id}/cancel")

            if device_id not in PEOPLE[name][2]:
                assert answer.status_code == 404
            else:
                assert answer.status_code == (202 if name in OPERATORS[device_id] else 403)
            undone = await client.post(f"commands/{command_id}/undo")
            assert undone.status_code == (409 if device_id in PEOPLE[name][2] else 404)


@pytest.mark.parametrize("name", PEOPLE)
async def test_an_order_is_decided_by_the_role_on_its_device(api: Api, name: str) -> None:
    await a_fleet(api)
    async with as_somebody(api, await token_of(api, name)) as client:
        for device_id in (OWN, OTHER):
            order = {"device_id": device_id, "tool": "create_directory", "arguments": {"path": "Test"}}
            answer = (await client.post("commands", json=order)).json()

            assert (answer["decision"] == "allow") == (name in OPERATORS[device_id])
            if device_id not in PEOPLE[name][2]:
                stranger = (await client.post("commands", json=order | {"device_id": "nobody"})).json()
                hidden, never = (
                    [each["reason"].replace(each_id, "…") for each in said["layers"]]
                    for said, each_id in ((answer, device_id), (stranger, "nobody"))
                )
                assert hidden == never
                assert answer["error"]["code"] == stranger["error"]["code"] == "unknown_device"


@pytest.mark.parametrize("name", PEOPLE)
async def test_an_order_to_a_group_goes_to_those_of_its_devices_that_are_there(api: Api, name: str) -> None:
    await a_fleet(api)
    await api.store.write(
        lambda session: devices.change(
            session, OTHER, devices.PolicyChange(groups=("office", LAB)), actor=ADMIN, now=NOON
        )
    )
    seen = {OWN, OTHER} if name == "lee" else PEOPLE[name][2]  # who was granted the group got one more
    async with as_somebody(api, await token_of(api, name)) as client:
        answer = await client.post("commands", json={"group": LAB, "tool": "system_info"})
        if not seen:
            assert answer.status_code == 404
            assert "No device is in any group" in answer.json()["detail"]
            return
        children = (await client.get("commands", params={"parent_id": answer.json()["command_id"]})).json()

    assert {each["device_id"] for each in children["items"]} == seen


@pytest.mark.parametrize("name", PEOPLE)
async def test_events_are_of_the_devices_that_are_there(api: Api, name: str) -> None:
    await a_fleet(api)
    for device_id in (OWN, OTHER):
        await api.store.write(partial(events.store, device_id=device_id, event=an_event(), now=NOON))
    async with as_somebody(api, await token_of(api, name)) as client:
        every = (await client.get("events")).json()["items"]
        others = (await client.get("events", params={"device_id": OTHER})).json()["items"]
        found = (await client.get("search", params={"q": "low_disk_space"})).json()["items"]

    seen = PEOPLE[name][2]
    assert {each["device_id"] for each in every} == {each["device_id"] for each in found} == seen
    assert {each["device_id"] for each in others} == seen & {OTHER}


@pytest.mark.parametrize("name", PEOPLE)
async def test_a_card_is_seen_by_who_asked_and_by_who_decides(api: Api, name: str) -> None:
    await a_fleet(api)
    otto = Actor("otto", Role.OPERATOR, Via.API)
    command_id = await ordered(api, OWN, by=otto, tool="delete_path")
    row = await row_of(api, command_id)
    assert row.approval_id is not None
    async with as_somebody(api, await token_of(api, name)) as client:
        listed = (await client.get("approvals")).json()["items"]
        one = await client.get(f"approvals/{row.approval_id}")
        decided = await client.post(f"approvals/{row.approval_id}/decision", json={"decision": "deny"})

    sees = name in ("anna", "otto")
    assert [each["approval_id"] for each in listed] == ([row.approval_id] if sees else [])
    assert one.status_code == (200 if sees else 404)
    assert decided.status_code == (200 if name == "anna" else 403)


@pytest.mark.parametrize("name", ["vera", "kim", "lee", "gus"])
async def test_a_sentence_reaches_what_its_speaker_does(api: Api, name: str) -> None:
    await a_fleet(api)
    async with as_somebody(api, await token_of(api, name)) as client:
        answer = await client.post("ask", json={"text": "which devices are there?"})
        there = {device_id for device_id in (OWN, OTHER) if device_id in answer.text}
        asked = await client.post("ask", json={"text": f"is {OTHER} online?"})

    assert there == PEOPLE[name][2]
    assert ('"status": "online"' in asked.text) == (OTHER in PEOPLE[name][2])


async def test_figures_of_all_devices_take_a_look_at_all_of_them(api: Api) -> None:
    await a_fleet(api)
    for name, status in (("vera", 200), ("kim", 403)):
        async with as_somebody(api, await token_of(api, name)) as client:
            for kind in ("tools", "devices", "failures"):
                assert (await client.get(f"stats/{kind}")).status_code == status


async def test_what_is_remembered_of_a_device_is_there_for_who_sees_it(api: Api) -> None:
    await a_fleet(api)
    for device_id in (OWN, OTHER):
        place = {"scope": "device", "owner": device_id}
        await api.http.put(f"memory/of-{device_id}", json={"value": "violet", **place})
    async with as_somebody(api, await token_of(api, "kim")) as kim:
        listed = (await kim.get("memory")).json()["items"]
        found = (await kim.get("search", params={"q": "violet"})).json()["items"]
        other = await kim.get(f"memory/of-{OTHER}", params={"scope": "device", "owner": OTHER})
        put = await kim.put("memory/x", json={"value": 1, "scope": "device", "owner": OTHER})
        own = await kim.put("memory/x", json={"value": 1, "scope": "device", "owner": OWN})

    assert [each["key"] for each in listed] == [f"of-{OWN}"]
    assert [each["device_id"] for each in found] == [OWN]
    assert other.status_code == put.status_code == 404
    assert own.status_code == 200


async def test_an_order_is_looked_at_with_the_grants_of_the_moment_it_leaves(api: Api) -> None:
    await a_fleet(api)
    async with as_somebody(api, await token_of(api, "kim")) as kim:
        asked = await kim.post(
            "commands", json={"device_id": OWN, "tool": "delete_path", "arguments": {"path": "Test"}}
        )
    assert asked.json()["decision"] == "ask"
    await api.store.write(
        partial(grants.take, username="kim", place=Place(device_id=OWN), actor=ADMIN, now=NOON)
    )

    await api.http.post(f"approvals/{asked.json()['approval_id']}/decision", json={"decision": "approve"})

    row = await row_of(api, asked.json()["command_id"])
    assert row.status == "denied"
    assert row.error_message == "kim asked for this and is not let in any more."


async def test_a_grant_goes_with_its_device(api: Api) -> None:
    await a_fleet(api)
    await token_of(api, "kim")
    await api.store.write(partial(devices.remove, device_id=OWN, actor=ADMIN, now=NOON))
    await a_place_again(api)

    assert (await api.http.get("users/kim")).json()["grants"] == []


async def a_place_again(api: Api) -> None:
    new = devices.NewDevice(OWN)
    await api.store.write(partial(devices.add, new=new, actor=ADMIN, now=NOON))


async def test_grants_are_given_changed_and_taken(api: Api) -> None:
    await a_fleet(api)
    await api.store.write(partial(users.add, username="kim", role=UserRole.GUEST, actor=ADMIN, now=NOON))
    given = await api.http.put(f"users/kim/grants/device/{OWN}", json={"role": "viewer"})
    assert given.json() | {"granted_at": None} == {
        "username": "kim", "device_id": OWN, "group": None, "role": "viewer", "granted_by": "admin", "granted_at": None,
    }  # fmt: skip
    await api.http.put(f"users/kim/grants/device/{OWN}", json={"role": "operator"})
    await api.http.put(f"users/kim/grants/group/{LAB}", json={"role": "viewer"})

    (kim,) = [each for each in (await api.http.get("users")).json()["items"] if each["username"] == "kim"]
    assert {(each["device_id"] or each["group"], each["role"]) for each in kim["grants"]} == {
        (OWN, "operator"), (LAB, "viewer"),
    }  # fmt: skip

    assert (await api.http.delete(f"users/kim/grants/device/{OWN}")).status_code == 204
    assert (await api.http.delete(f"users/kim/grants/device/{OWN}")).status_code == 404


@pytest.mark.parametrize(
    ("where", "body", "status"),
    [
        ("users/kim/grants/device/nobody", {"role": "viewer"}, 404),
        ("users/kim/grants/group/nothing", {"role": "viewer"}, 422),
        (f"users/kim/grants/device/{OWN}", {"role": "admin"}, 422),
        (f"users/kim/grants/device/{OWN}", {"role": "guest"}, 422),
        (f"users/kim/grants/device/{OWN}", {"role": "king"}, 422),
        (f"users/kim/grants/planet/{OWN}", {"role": "viewer"}, 422),
        (f"users/nobody/grants/device/{OWN}", {"role": "viewer"}, 404),
        (f"users/admin/grants/device/{OWN}", {"role": "viewer"}, 403),
    ],
)
async def test_what_is_no_grant_is_refused(api: Api, where: str, body: dict[str, str], status: int) -> None:
    await a_fleet(api)
    await api.store.write(partial(users.ensure_admin, now=NOON))
    await api.store.write(partial(users.add, username="kim", role=UserRole.GUEST, actor=ADMIN, now=NOON))

    assert (await api.http.put(where, json=body)).status_code == status


async def test_nothing_of_a_card_is_told_to_who_does_not_see_it(api: Api) -> None:
    await a_fleet(api)
    command_id = await ordered(api, OTHER, by=Actor("otto", Role.OPERATOR, Via.API), tool="delete_path")
    card = (await api.store.read(partial(commands.get, command_id=command_id))).approval_id or ""
    async with as_somebody(api, await token_of(api, "lee")) as lee:
        answer = await lee.get(f"approvals/{card}")
        stranger = await lee.get(f"approvals/{NOBODYS}")

    assert answer.json()["detail"] == stranger.json()["detail"].replace(NOBODYS, card)
    assert (await api.store.read(partial(approvals.get, approval_id=card))).status == "pending"
