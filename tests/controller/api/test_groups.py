"""Orders to groups over HTTP, on a real store."""

from typing import Any

import pytest

from controller.store.store import Session
from schemas.errors import ErrorCode
from tests.controller.api.conftest import Api
from tests.controller.services.fleet import a_lab

ORDER = {"group": "lab", "tool": "create_directory", "arguments": {"path": "Test"}}
COUNTS = {"succeeded", "failed", "denied", "cancelled", "expired", "interrupted", "rejected"}


@pytest.fixture
async def lab(api: Api) -> list[str]:
    """Three adopted devices that are online, as the registry has them."""

    def place(session: Session) -> list[str]:
        return a_lab(session, 3)

    return await api.store.write(place)


async def children(api: Api, parent_id: str, **more: Any) -> list[dict[str, Any]]:
    answer = await api.http.get("commands", params={"parent_id": parent_id, **more})
    items: list[dict[str, Any]] = answer.json()["items"]
    return sorted(items, key=lambda each: str(each["device_id"]))


async def test_an_order_to_a_group_shows_how_far_it_is(api: Api, lab: list[str]) -> None:
    answer = await api.http.post("commands", json=ORDER | {"max_in_flight": 2, "stop_after": 1})

    assert answer.status_code == 202
    view = answer.json()
    assert (view["device_id"], view["group"], view["parent_id"]) == (None, "lab", None)
    assert (view["status"], view["decision"], view["progress"]) == ("accepted", "allow", 0)
    assert view["rollout"] == dict.fromkeys(COUNTS, 0) | {
        "total": 3,
        "open": 3,
        "waiting": 0,
        "rate_per_s": None,
        "max_in_flight": 2,
        "stop_after": 1,
        "stopped": False,
        "next_at": None,
        "patient_until": None,
    }
    found = await children(api, view["command_id"])
    assert [each["device_id"] for each in found] == lab
    assert {each["parent_id"] for each in found} == {view["command_id"]}
    assert {each["rollout"] for each in found} == {None}


async def test_without_a_limit_some_at_a_time_leave(api: Api, lab: list[str]) -> None:
    by_itself = (await api.http.post("commands", json=ORDER)).json()
    all_at_once = (await api.http.post("commands", json=ORDER | {"max_in_flight": None})).json()

    assert by_itself["rollout"]["max_in_flight"] == 20
    assert all_at_once["rollout"]["max_in_flight"] is None


async def test_what_waits_for_a_person_shows_its_one_card(api: Api, lab: list[str]) -> None:
    order = ORDER | {"tool": "delete_path"}
    asked = (await api.http.post("commands", json=order, headers={"Prefer": "wait=20"})).json()

    assert asked["status"] == "awaiting_approval"
    card = (await api.http.get(f"approvals/{asked['approval_id']}")).json()
    assert card["summary"] == "delete_path on 3 devices of lab: path=Test"
    decided = await api.http.post(f"approvals/{asked['approval_id']}/decision", json={"decision": "approve"})
    assert [each["command_id"] for each in decided.json()["results"]] == [asked["command_id"]]
    assert "lab" in decided.json()["text"]


async def test_it_is_cancelled_with_all_that_is_open(api: Api, lab: list[str]) -> None:
    parent = (await api.http.post("commands", json=ORDER | {"rate_per_s": 0.01})).json()

    answer = await api.http.post(f"commands/{parent['command_id']}/cancel")

    assert answer.status_code == 202
    found = await children(api, parent["command_id"])
    assert [each["status"] for each in found] == ["queued", "cancelled", "cancelled"]
    assert answer.json()["rollout"]["cancelled"] == 2


async def test_a_group_that_nobody_is_in_is_not_found(api: Api, lab: list[str]) -> None:
    answer = await api.http.post("commands", json=ORDER | {"group": "cellar"})

    assert (answer.status_code, answer.json()["code"]) == (404, ErrorCode.NOT_FOUND)
    assert answer.json()["detail"] == "There is no group 'cellar'. The groups are: lab."


@pytest.mark.parametrize(
    "change",
    [
        {"device_id": "lab-000"},
        {"group": None},
        {"group": ""},
        {"group": "x" * 101},
        {"rate_per_s": 0},
        {"rate_per_s": 1e9},
        {"max_in_flight": 0},
        {"stop_after": 0},
    ],
    ids=str,
)
async def test_an_order_that_makes_no_sense_is_refused(
    api: Api, lab: list[str], change: dict[str, Any]
) -> None:
    answer = await api.http.post("commands", json=ORDER | change)

    assert (answer.status_code, answer.json()["code"]) == (422, ErrorCode.INVALID_ARGUMENTS)
    assert (await api.http.get("commands")).json() == {"items": [], "next": None}


@pytest.mark.parametrize("limit", ["rate_per_s", "max_in_flight", "stop_after"])
async def test_limits_are_for_groups(api: Api, lab: list[str], limit: str) -> None:
    one = {"device_id": "lab-000", "tool": "create_directory", limit: 1}

    answer = await api.http.post("commands", json=one)

    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(f"{limit}: for a group only")


async def test_a_group_cannot_be_undone_as_a_whole(api: Api, lab: list[str]) -> None:
    parent = (await api.http.post("commands", json=ORDER)).json()

    answer = await api.http.post(f"commands/{parent['command_id']}/undo", json={})

    assert (answer.status_code, answer.json()["code"]) == (409, ErrorCode.CONFLICT)
