"""A command is recorded, waited for and cancelled over HTTP, and a card is decided once."""

import asyncio

import pytest

from controller.api.preferences import wanted_wait
from controller.services import settling
from controller.store.store import StoreFailed
from schemas.errors import ErrorCode
from tests.controller.api.conftest import Api
from tests.controller.api.routes.orders import CREATE, DELETE
from tests.factories import NOON, a_reply


async def answered(api: Api, command_id: str) -> None:
    """The device does it."""
    reply = a_reply(command_id, result={"created": True})
    await api.store.write(lambda session: settling.settle(session, "laptop", reply, now=NOON))


async def test_a_command_is_recorded_and_can_be_found(api: Api, laptop: str) -> None:
    answer = await api.http.post("commands", json=CREATE, headers={"Orion-Via": "cli"})

    assert answer.status_code == 202
    view = answer.json()
    assert answer.headers["location"] == f"/api/v1/commands/{view['command_id']}"
    assert (view["status"], view["decision"], view["via"]) == ("queued", "allow", "cli")
    assert view["arguments"] == {"path": "/srv/files/Test"}
    assert [layer["verdict"] for layer in view["layers"]] == ["allow"] * len(view["layers"])
    found = await api.http.get(f"http://orion{answer.headers['location']}")
    assert found.json() == view
    assert (await api.http.get("commands", params={"device_id": "laptop"})).json() == {
        "items": [view],
        "next": None,
    }
    assert (await api.http.get("commands", params={"status": "failed"})).json() == {"items": [], "next": None}


async def test_a_refusal_is_an_outcome_and_not_an_error(api: Api, laptop: str) -> None:
    answer = await api.http.post("commands", json=CREATE | {"arguments": {"path": "/etc/orion"}})

    assert answer.status_code == 202
    assert answer.json()["status"] == "denied"
    assert answer.json()["error"]["code"] == ErrorCode.PATH_NOT_ALLOWED


async def test_who_prefers_to_wait_gets_the_end(api: Api, laptop: str) -> None:
    waiting = asyncio.create_task(api.http.post("commands", json=CREATE, headers={"Prefer": "wait=20"}))
    command_id = ""
    while not command_id:
        await asyncio.sleep(0.01)
        items = (await api.http.get("commands")).json()["items"]
        command_id = items[0]["command_id"] if items else ""
    again = asyncio.create_task(api.http.get(f"commands/{command_id}", headers={"Prefer": "wait=20"}))
    await answered(api, command_id)

    for answer in (await waiting, await again):
        assert (answer.json()["status"], answer.json()["result"]) == ("succeeded", {"created": True})


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=10", 10.0),
        ("respond-async, wait=7", 7.0),
        ("wait=9999", 300.0),
        ("wait=" + "9" * 190, 300.0),
        ('Wait="3"', 3.0),
        ("wait = 3; strict, respond-async", 3.0),
        ("no-wait=5", 0.0),
        ("handling=lenient; wait=5", 0.0),
        ('wait="5', 0.0),
        ("", 0.0),
        ("wait=-1", 0.0),
        ("wait=x", 0.0),
    ],
)
def test_the_wanted_wait_is_bounded(prefer: str, seconds: float) -> None:
    assert wanted_wait(prefer) == seconds


async def test_a_preference_may_be_one_of_several_headers_and_is_no_book(api: Api, laptop: str) -> None:
    command_id = (await api.http.post("commands", json=DELETE)).json()["command_id"]

    several = await api.http.get(
        f"commands/{command_id}", headers=[("Prefer", "respond-async"), ("Prefer", "wait=1")]
    )
    book = await api.http.get(f"commands/{command_id}", headers={"Prefer": "wait=1," + "x" * 200})

    assert (several.status_code, several.headers["preference-applied"]) == (200, "wait=1")
    assert (book.status_code, book.json()["code"]) == (422, ErrorCode.INVALID_ARGUMENTS)


async def test_a_command_that_has_ended_cannot_be_cancelled(api: Api, laptop: str) -> None:
    command_id = (await api.http.post("commands", json=DELETE)).json()["command_id"]

    first = await api.http.post(f"commands/{command_id}/cancel")
    second = await api.http.post(f"commands/{command_id}/cancel")

    assert (first.status_code, first.json()["status"]) == (202, "cancelled")
    assert (second.status_code, second.json()["code"]) == (409, ErrorCode.CONFLICT)


async def test_a_card_is_decided_once(api: Api, laptop: str) -> None:
    asked = (await api.http.post("commands", json=DELETE, headers={"Prefer": "wait=20"})).json()
    assert asked["status"] == "awaiting_approval"
    path = f"approvals/{asked['approval_id']}"
    card = (await api.http.get(path)).json()
    assert card["commands"][0]["arguments"] == {"path": "/srv/files/Test"}
    assert (await api.http.get("approvals", params={"status": "pending"})).json() == {
        "items": [card],
        "next": None,
    }

    wrong = {"decision": "approve", "hash": "0" * 64}
    assert (await api.http.post(f"{path}/decision", json=wrong)).status_code == 403
    decided = await api.http.post(f"{path}/decision", json={"decision": "approve", "hash": card["hash"]})
    assert (decided.status_code, decided.json()["status"]) == (200, "approved")
    assert [each["status"] for each in decided.json()["results"]] == ["queued"]
    again = await api.http.post(f"{path}/decision", json={"decision": "deny"})
    assert (again.status_code, again.json()["code"]) == (409, ErrorCode.CONFLICT)


async def test_a_decision_must_be_one(api: Api, laptop: str) -> None:
    for body in ({"decision": "maybe"}, {}, {"decision": "deny", "comment": "x" * 501}):
        assert (await api.http.post("approvals/x/decision", json=body)).status_code == 422


async def test_what_is_recorded_is_said_to_be_though_the_database_goes_meanwhile(
    api: Api, laptop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreFailed("The database could not be read now.")

    wait = {"Prefer": "wait=20"}
    asked = (await api.http.post("commands", json=DELETE)).json()
    decision = f"approvals/{asked['approval_id']}/decision"
    with monkeypatch.context() as patched:
        patched.setattr(api.store, "ask", away)
        ordered = await api.http.post("commands", json=CREATE, headers=wait)
        decided = await api.http.post(decision, json={"decision": "approve"}, headers=wait)

    assert (ordered.status_code, ordered.json()["status"]) == (202, "queued")
    assert (decided.status_code, decided.json()["status"]) == (200, "approved")
    for command in (ordered.json(), *decided.json()["results"]):
        found = await api.http.get(f"commands/{command['command_id']}")
        assert found.json()["status"] == "queued"
