"""A request that comes twice by the same name orders once, whatever happens between the two."""

import asyncio

import pytest
from sqlmodel import select

from controller.services import settling
from controller.services.accounts import apikeys
from controller.services.accounts.apikeys import NewKey
from controller.services.actors import Actor, Role
from controller.services.users import UserRole
from controller.store.tables import RequestKey
from schemas.commands import Via
from schemas.errors import ErrorCode
from tests.controller.api.conftest import Api
from tests.controller.api.people import as_somebody, sign_in, somebody
from tests.controller.api.routes.orders import CREATE, DELETE
from tests.factories import NOON, a_reply

NAMED = {"Idempotency-Key": "7f1f0b6e-the-same"}


async def recorded(api: Api) -> list[str]:
    return [each["command_id"] for each in (await api.http.get("commands")).json()["items"]]


async def test_the_same_request_is_made_once_and_answered_each_time(api: Api, laptop: str) -> None:
    first = await api.http.post("commands", json=CREATE, headers=NAMED)
    second = await api.http.post("commands", json=CREATE, headers=NAMED | {"Prefer": "wait=1"})

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert first.headers["location"] == second.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert await recorded(api) == [first.json()["command_id"]]


async def test_many_at_once_make_one(api: Api, laptop: str) -> None:
    answers = await asyncio.gather(
        *(api.http.post("commands", json=CREATE, headers=NAMED) for _ in range(20))
    )

    assert {each.status_code for each in answers} == {202}
    assert {each.json()["command_id"] for each in answers} == set(await recorded(api))
    assert len(await recorded(api)) == 1
    assert sum("idempotency-replayed" not in each.headers for each in answers) == 1


async def test_a_refusal_and_a_card_are_answered_again_too(api: Api, laptop: str) -> None:
    for number, body in enumerate((DELETE, CREATE | {"arguments": {"path": "/etc"}})):
        named = {"Idempotency-Key": f"number-{number}"}
        first = await api.http.post("commands", json=body, headers=named)
        second = await api.http.post("commands", json=body, headers=named)
        assert first.json() == second.json()
    assert len(await recorded(api)) == 2
    assert len((await api.http.get("approvals")).json()["items"]) == 1


async def test_another_request_by_the_same_name_is_refused(api: Api, laptop: str) -> None:
    made = await api.http.post("commands", json=CREATE, headers=NAMED)

    for other in (CREATE | {"dry_run": True}, DELETE):
        answer = await api.http.post("commands", json=other, headers=NAMED)
        assert (answer.status_code, answer.json()["code"]) == (422, ErrorCode.INVALID_ARGUMENTS)
    undo = await api.http.post(f"commands/{made.json()['command_id']}/undo", headers=NAMED)
    assert undo.status_code == 422
    assert len(await recorded(api)) == 1


async def test_the_order_of_words_is_no_difference(api: Api, laptop: str) -> None:
    turned = dict(reversed(CREATE.items()))

    first = await api.http.post("commands", json=CREATE, headers=NAMED)
    second = await api.http.post("commands", json=turned, headers=NAMED)

    assert first.json() == second.json()


async def test_what_was_not_recorded_may_be_tried_again_by_the_same_name(api: Api, laptop: str) -> None:
    group = {"group": "lab", "tool": "create_directory", "arguments": {"path": "x"}}
    refused = await api.http.post("commands", json=group, headers=NAMED)

    made = await api.http.post("commands", json=CREATE, headers=NAMED)

    assert (refused.status_code, made.status_code) == (404, 202)


async def test_an_undo_is_made_once_too(api: Api, laptop: str) -> None:
    command_id = (await api.http.post("commands", json=CREATE)).json()["command_id"]
    reply = a_reply(command_id, result={"created": True, "undo": True})
    await api.store.write(lambda session: settling.settle(session, "laptop", reply, now=NOON))

    first = await api.http.post(f"commands/{command_id}/undo", headers=NAMED)
    second = await api.http.post(f"commands/{command_id}/undo", json={}, headers=NAMED)
    third = await api.http.post(f"commands/{command_id}/undo")

    assert first.status_code == 202, first.text
    assert first.json() == second.json()
    assert third.status_code == 409


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "sn\u00f6"])
async def test_what_is_no_name_is_refused(api: Api, laptop: str, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode()}

    assert (await api.http.post("commands", json=CREATE, headers=headers)).status_code == 422


async def test_a_name_is_one_users_own(api: Api, laptop: str) -> None:
    await somebody(api, "otto", UserRole.OPERATOR)
    token = (await sign_in(api, "otto")).json()["access_token"]
    mine = (await api.http.post("commands", json=CREATE, headers=NAMED)).json()

    async with as_somebody(api, token) as otto:
        theirs = await otto.post("commands", json=CREATE, headers=NAMED)

    assert theirs.status_code == 202
    assert theirs.json()["command_id"] != mine["command_id"]


async def key_of_otto(api: Api, *places: str) -> str:
    new = NewKey("panel", ["commands:write"], places, None)
    actor = Actor("otto", Role.OPERATOR, Via.API)
    _, key = await api.store.write(
        lambda session: apikeys.create(session, "otto", new, actor=actor, now=NOON)
    )
    return key


async def test_a_name_is_one_keys_own(api: Api, laptop: str) -> None:
    await somebody(api, "otto", UserRole.OPERATOR)
    token = (await sign_in(api, "otto")).json()["access_token"]
    made = []
    for shown in (token, await key_of_otto(api), await key_of_otto(api)):
        async with as_somebody(api, shown) as client:
            first = await client.post("commands", json=CREATE, headers=NAMED)
            second = await client.post("commands", json=CREATE, headers=NAMED)
        assert (first.status_code, first.json()) == (202, second.json())
        made.append(first.json()["command_id"])

    assert len(set(made)) == 3


async def test_a_key_for_other_devices_is_not_shown_what_was_ordered(api: Api, laptop: str) -> None:
    await somebody(api, "otto", UserRole.OPERATOR)
    token = (await sign_in(api, "otto")).json()["access_token"]
    async with as_somebody(api, token) as otto:
        made = await otto.post("commands", json=CREATE, headers=NAMED)

    async with as_somebody(api, await key_of_otto(api, "lab-*")) as program:
        answer = await program.post("commands", json=CREATE, headers=NAMED)

    assert answer.json()["error"]["code"] == ErrorCode.UNKNOWN_DEVICE  # as for one that never was
    assert made.json()["command_id"] not in answer.text


async def test_nothing_that_was_said_is_kept_with_the_name(api: Api, laptop: str) -> None:
    await api.http.post("commands", json=CREATE, headers=NAMED)

    (row,) = await api.store.read(lambda session: session.exec(select(RequestKey)).all())

    assert (row.username, len(row.hash), len(row.fingerprint)) == ("admin", 64, 64)
    assert NAMED["Idempotency-Key"] not in str(row.model_dump())
