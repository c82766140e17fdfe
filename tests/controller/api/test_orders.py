"""Over HTTP: orders that wait, have a precondition, are watched, and are put back."""

import asyncio
import json
from typing import Any

import pytest

from controller.services import devices, settling
from controller.services.commands import VALID_AT_MOST
from controller.store.store import Session
from schemas.commands import ReplyStatus
from tests.controller.api.conftest import Api
from tests.factories import NOON, a_presence, a_reply

CREATE = {"device_id": "laptop", "tool": "create_directory", "arguments": {"path": "Test"}}
LOOK = {"tool": "path_info", "arguments": {"path": "Test"}, "field": "exists"}


async def answer(
    api: Api, command_id: str, status: ReplyStatus = ReplyStatus.SUCCEEDED, **result: Any
) -> None:
    """What the device says of it."""
    reply = a_reply(command_id, status, result=result)
    await api.store.write(lambda session: settling.settle(session, "laptop", reply, now=NOON))


async def go(api: Api) -> None:
    """The device goes."""
    gone = a_presence("offline")
    await api.store.write(lambda session: devices.store_presence(session, "laptop", gone, now=NOON))


async def come(api: Api) -> None:
    """The device comes back."""

    def back(session: Session) -> None:
        devices.store_presence(session, "laptop", a_presence(), now=NOON)
        settling.device_came(session, "laptop", now=NOON)

    await api.store.write(back)


async def test_an_order_waits_for_its_device_and_is_found_in_the_queue(api: Api, laptop: str) -> None:
    await go(api)
    order = CREATE | {"when_online": True, "valid_s": 600}

    answered = await api.http.post("commands", json=order, headers={"Prefer": "wait=20"})

    view = answered.json()
    assert (answered.status_code, view["status"], view["when_online"]) == (202, "waiting", True)
    queue = (await api.http.get("commands", params={"status": "waiting"})).json()["items"]
    assert [each["command_id"] for each in queue] == [view["command_id"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"valid_s": VALID_AT_MOST + 1},
        {"valid_s": 0},
        {"condition": "sometimes"},
        {"condition": {"tool": "path_info", "arguments": {}, "more": 1}},
        {"condition": {"arguments": {}}},
        {"when_online": "maybe"},
    ],
)
async def test_what_is_no_order_is_refused(api: Api, laptop: str, wrong: dict[str, Any]) -> None:
    assert (await api.http.post("commands", json=CREATE | wrong)).status_code == 422


async def test_a_precondition_is_shown_with_the_command_that_asks_it(api: Api, laptop: str) -> None:
    view = (await api.http.post("commands", json=CREATE | {"condition": LOOK})).json()

    asking = (await api.http.get(f"commands/{view['condition']['checked_by']}")).json()
    assert (asking["tool"], view["follows"]) == ("path_info", asking["command_id"])
    await answer(api, asking["command_id"], exists=False)
    ended = (await api.http.get(f"commands/{view['command_id']}", headers={"Prefer": "wait=20"})).json()
    assert (ended["status"], ended["error"]["code"]) == ("cancelled", "conflict")


async def test_online_as_a_precondition_is_shown_as_it_was_said(api: Api, laptop: str) -> None:
    view = (await api.http.post("commands", json=CREATE | {"condition": "online"})).json()

    assert (view["condition"], view["status"]) == ("online", "queued")


async def test_who_watches_sees_every_change_to_the_end(api: Api, laptop: str) -> None:
    command_id = (await api.http.post("commands", json=CREATE)).json()["command_id"]

    async def go_on() -> None:
        async with asyncio.timeout(10):
            while command_id not in api.app.state.parts.replies._waiters:
                await asyncio.sleep(0.01)
        await answer(api, command_id, ReplyStatus.ACCEPTED)
        await answer(api, command_id, undo=True)

    moving = asyncio.create_task(go_on())
    watched = await api.http.get(f"commands/{command_id}/watch", params={"within_s": 20})
    await moving
    lines = [json.loads(line) for line in watched.text.splitlines()]

    assert watched.headers["content-type"] == "application/x-ndjson"
    seen = list(dict.fromkeys(line["status"] for line in lines))
    # it is listened for before the first look, which may come after the first change
    assert seen in (["queued", "accepted", "succeeded"], ["accepted", "succeeded"])
    assert [lines[0]["undoable"], lines[-1]["undoable"]] == [None, True]
    assert (await api.http.get("commands/nothing/watch")).status_code == 404


async def test_an_undo_is_a_command_of_its_own_and_happens_once(api: Api, laptop: str) -> None:
    view = (await api.http.post("commands", json=CREATE)).json()
    path = f"commands/{view['command_id']}"
    early = await api.http.post(f"{path}/undo")
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    await answer(api, view["command_id"], undo=True)
    assert (await api.http.get(path)).json()["undoable"] is True

    undone = await api.http.post(f"{path}/undo", json={"valid_s": 30})

    back = undone.json()
    assert (undone.status_code, back["tool"], back["undoes"]) == (202, "undo", view["command_id"])
    assert undone.headers["location"] == f"/api/v1/commands/{back['command_id']}"
    assert (await api.http.post(f"{path}/undo")).status_code == 409
    assert (await api.http.get(path)).json()["undoable"] is False
    listed = (await api.http.get("commands")).json()["items"]
    assert {each["command_id"]: each["undoable"] for each in listed} == {
        view["command_id"]: False,
        back["command_id"]: None,
    }
    assert (await api.http.post(f"{path}/undo", json={"never": 1})).status_code == 422


async def test_an_order_that_waited_leaves_when_its_device_comes(api: Api, laptop: str) -> None:
    await go(api)
    order = CREATE | {"when_online": True, "valid_s": VALID_AT_MOST}
    view = (await api.http.post("commands", json=order)).json()

    await come(api)

    assert (await api.http.get(f"commands/{view['command_id']}")).json()["status"] == "queued"
