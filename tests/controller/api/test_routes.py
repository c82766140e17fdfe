"""Each noun over HTTP, on a real store."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.api.routes.commands import wanted_wait
from controller.services import devices, events, heads, settling
from controller.services.heads import SignedHead
from controller.services.orders import Status
from controller.store import migrate
from controller.store.store import Session
from controller.store.tables import EventRow
from schemas.assistant import MAX_TEXT, Response
from schemas.errors import ErrorCode
from tests.broker.running import RunningBroker
from tests.controller.api.conftest import Api
from tests.factories import NOON, a_heartbeat, a_profile, a_reply, an_event, later
from tests.flows.installation import installation

CREATE = {"device_id": "laptop", "tool": "create_directory", "arguments": {"path": "Test"}}
DELETE = {"device_id": "laptop", "tool": "delete_path", "arguments": {"path": "Test"}}


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
        ("", 0.0),
        ("wait=-1", 0.0),
        ("wait=x", 0.0),
    ],
)
def test_the_wanted_wait_is_bounded(prefer: str, seconds: float) -> None:
    assert wanted_wait(prefer) == seconds


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


async def test_a_place_is_prepared_looked_at_changed_and_taken_away(api: Api) -> None:
    wanted = {"device_id": "pump", "name": "Pump", "aliases": ["pomp"], "allowed_paths": ["/srv"]}
    added = await api.http.post("devices", json=wanted)
    assert added.status_code == 201
    assert added.json()["mqtt"]["username"] == "pump"
    assert "password" not in added.json()["mqtt"]  # this broker is administered elsewhere
    assert (await api.http.post("devices", json=wanted)).json()["code"] == ErrorCode.ALREADY_EXISTS
    assert (await api.http.post("devices/pump/adopt")).status_code == 409

    await api.store.write(lambda session: devices.store_profile(session, "pump", a_profile("pump"), now=NOON))
    seen = (await api.http.get("devices/pump")).json()
    assert seen["allowed_paths"] == ["/srv/files"]
    assert not any(tool["adopted"] for tool in seen["tools"])
    adopted = await api.http.post("devices/pump/adopt")
    assert all(tool["adopted"] for tool in adopted.json()["tools"])

    changed = await api.http.patch("devices/pump", json={"policy": "manage", "unlimited": ["allowed_paths"]})
    assert changed.json()["owner_allows"]["paths"] is None
    assert changed.json()["policy"] == "manage"
    assert [item["device_id"] for item in (await api.http.get("devices")).json()["items"]] == ["pump"]

    assert (await api.http.delete("devices/pump")).status_code == 204
    assert (await api.http.get("devices/pump")).status_code == 404
    assert (await api.http.delete("devices/pump")).status_code == 404


@pytest.mark.parametrize("field", ["policy", "name", "aliases", "groups", "device_id", "x"])
async def test_only_lists_can_be_made_unlimited(api: Api, laptop: str, field: str) -> None:
    answer = await api.http.patch("devices/laptop", json={"unlimited": [field]})

    assert answer.status_code == 422


async def test_a_stricter_policy_denies_what_still_waits(api: Api, laptop: str) -> None:
    asked = (await api.http.post("commands", json=DELETE)).json()

    await api.http.patch("devices/laptop", json={"policy": "observe"})

    view = (await api.http.get(f"commands/{asked['command_id']}")).json()
    assert (view["status"], view["error"]["code"]) == ("denied", ErrorCode.PERMISSION_DENIED)
    assert (await api.http.get(f"approvals/{asked['approval_id']}")).json()["status"] == "cancelled"


async def test_what_waits_for_a_removed_device_is_denied(api: Api, laptop: str) -> None:
    asked = (await api.http.post("commands", json=DELETE)).json()

    await api.http.delete("devices/laptop")

    view = (await api.http.get(f"commands/{asked['command_id']}")).json()
    assert (view["status"], view["error"]["code"]) == ("denied", ErrorCode.UNKNOWN_DEVICE)


async def test_a_device_with_an_unusable_schema_is_still_shown(api: Api, laptop: str) -> None:
    def spoil(session: Session) -> None:
        tools = [{"name": "odd", "description": "", "parameters": {"type": "object", "properties": [1]}}]
        profile = a_profile().model_validate(a_profile().to_json() | {"tools": tools}, strict=False)
        devices.store_profile(session, "laptop", profile, now=NOON)

    await api.store.write(spoil)

    assert [tool["name"] for tool in (await api.http.get("devices/laptop")).json()["tools"]] == ["odd"]


async def test_the_records_are_shown_newest_first(api: Api, laptop: str) -> None:
    await api.store.write(lambda session: events.store(session, "laptop", an_event(data={"a": 1}), now=NOON))
    await api.http.post("commands", json=CREATE)

    found = (await api.http.get("events", params={"device_id": "laptop"})).json()["items"]
    assert [(item["event_id"], item["data"]) for item in found] == [("event-1", {"a": 1})]
    audited = (await api.http.get("audit", params={"action": "decision", "limit": 5})).json()["items"]
    assert [(item["action"], item["actor"]) for item in audited] == [("decision.allow", "admin")]
    for path in ("audit", "events", "commands", "approvals"):
        for limit in ("0", "100000", "x"):
            assert (await api.http.get(path, params={"limit": limit})).status_code == 422


async def test_the_doctor_looks_at_everything(api: Api) -> None:
    found = (await api.http.get("system/doctor")).json()

    assert found["database"]["revision"] == await asyncio.to_thread(migrate.newest)
    assert found["database"].get("integrity", "ok") == "ok"
    assert found["broker"]["connected"] is False
    assert found["model"]["trouble"]
    assert found["disk_free_bytes"] > 0
    assert found["devices"] == {"stale": [], "conflicting": [], "skewed": {}, "shut_out": {}}


async def test_the_doctor_names_devices_that_need_a_look(api: Api, laptop: str) -> None:
    def silence(session: Session) -> None:
        devices.store_heartbeat(session, laptop, a_heartbeat(at=later(99)), now=NOON)
        devices.call_stale(session, now=later(91), heartbeat_s=30.0, listening_since=later(-100))

    await api.store.write(silence)

    (listed,) = (await api.http.get("devices")).json()["items"]
    assert (listed["status"], listed["clock_skew_s"]) == ("stale", 99.0)
    assert listed["last_heartbeat"] == "2026-02-12T12:00:00.000Z"
    found = (await api.http.get("system/doctor")).json()["devices"]
    assert found == {"stale": [laptop], "conflicting": [], "skewed": {laptop: 99.0}, "shut_out": {}}


async def test_a_foreign_broker_is_not_administered_here(api: Api) -> None:
    assert (await api.http.post("debug-users", json={})).status_code == 409
    assert (await api.http.delete("debug-users/debug.user")).status_code == 409


async def lines_of(http: httpx.AsyncClient, text: str, **more: Any) -> list[dict[str, Any]]:
    async with http.stream("POST", "ask", json={"text": text, **more}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) async for line in answer.aiter_lines()]


async def test_an_answer_is_a_stream_of_responses_with_the_report_last(api: Api, laptop: str) -> None:
    *said, report = await lines_of(api.http, "Delete the folder Test on laptop")

    responses = [Response.decode(json.dumps(line).encode()) for line in said]
    assert [response.seq for response in responses] == list(range(len(said)))
    assert [response.type for response in responses][-1] == "final"
    assert "approval_required" in [response.type for response in responses]
    assert report["type"] == "report"
    assert report["calls"][0]["status"] == Status.AWAITING_APPROVAL
    assert report["planner"] == "offline"


async def test_a_conversation_goes_on_and_is_nobody_elses(api: Api, laptop: str) -> None:
    report = (await lines_of(api.http, "Delete the folder Test on laptop"))[-1]

    again = (await lines_of(api.http, "Delete the folder B on laptop", session_id=report["session_id"]))[-1]
    assert again["session_id"] == report["session_id"]
    (unknown,) = await lines_of(api.http, "x", session_id="somebody-elses")
    assert (unknown["type"], unknown["error"]["code"]) == ("problem", ErrorCode.NOT_FOUND)


async def test_two_at_once_get_each_their_own_answer(api: Api, laptop: str) -> None:
    first, second = await asyncio.gather(
        lines_of(api.http, "Delete the folder First on laptop"),
        lines_of(api.http, "Delete the folder Second on laptop"),
    )

    assert first[-1]["calls"][0]["arguments"] == {"path": "/srv/files/First"}
    assert second[-1]["calls"][0]["arguments"] == {"path": "/srv/files/Second"}
    assert {line["request_id"] for line in first} == {first[-1]["request_id"]}


@pytest.mark.parametrize(
    "body",
    [{}, {"text": 1}, {"text": "x" * (MAX_TEXT + 1)}, {"text": "x", "role": "admin"}, {"text": "\ud800"}],
)
async def test_a_request_that_does_not_fit_is_refused_before_anything_is_said(
    api: Api, body: dict[str, Any]
) -> None:
    answer = await api.http.post(
        "ask", content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 422
    assert (await api.http.get("audit")).json() == {"items": [], "next": None}


async def test_a_text_of_the_greatest_length_ends_in_an_answer(api: Api, laptop: str) -> None:
    report = (await lines_of(api.http, "maak een map " + "x" * (MAX_TEXT - 13)))[-1]

    assert report["outcome"] in ("declined", "refused", "question")


async def test_a_real_installation_gives_identities_and_outlives_who_goes_away(
    broker: RunningBroker, tmp_path: Path
) -> None:
    async with installation(broker, tmp_path) as orion:
        added = await orion.add_device("pump")
        assert added["mqtt"]["password"]
        taken = await orion.http.post("devices", json={"device_id": "pump"})
        assert taken.json()["code"] == ErrorCode.ALREADY_EXISTS

        debug = await orion.http.post("debug-users", json={"username": "debug.eye"})
        assert debug.status_code == 201
        assert debug.json()["topic"] == "orion/v1/#"
        assert (await orion.http.post("debug-users", json={"username": "debug.eye"})).status_code == 409
        assert (await orion.http.delete("debug-users/debug.eye")).status_code == 204
        assert (await orion.http.delete("debug-users/debug.eye")).status_code == 404
        assert (await orion.http.delete("debug-users/pump")).status_code in (404, 422)

        async with orion.http.stream("POST", "ask", json={"text": "Delete the folder A on pump"}):
            pass  # who asked hangs up before the first line was read

        async def recorded() -> bool:
            found = (await orion.http.get("audit", params={"action": "request."})).json()["items"]
            return bool(found)

        async with asyncio.timeout(10):
            while not await recorded():
                await asyncio.sleep(0.01)
        assert (await orion.http.get("health")).json()["status"] == "ready"
        assert (await orion.http.delete("devices/pump")).status_code == 204


async def test_what_is_kept_no_longer_is_shown_first_and_then_deleted(api: Api, laptop: str) -> None:
    long_ago = NOON - timedelta(days=400)
    event = an_event("old", at=long_ago)

    def fill(session: Session) -> None:
        events.store(session, laptop, event, now=long_ago)
        session.flush()
        row = session.get_one(EventRow, ("old", laptop))
        row.resolved, row.resolved_at = True, long_ago

    await api.store.write(fill)

    looked = (await api.http.post("system/clean", json={"dry_run": True})).json()
    assert (looked["dry_run"], looked["rows"]["events"]) == (True, 1)
    assert len((await api.http.get("events")).json()["items"]) == 1

    assert (await api.http.post("system/clean", json={})).json()["rows"]["events"] == 1
    assert (await api.http.get("events")).json()["items"] == []


async def test_the_end_of_the_audit_is_signed_when_somebody_asks(api: Api, laptop: str) -> None:
    last = (await api.http.get("audit", params={"limit": 1})).json()["items"][0]

    signed = await api.http.post("audit/heads")

    (head,) = signed.json()["items"]
    assert signed.status_code == 201
    assert (head["instance"], head["position"], head["hash"]) == ("main", last["position"], last["hash"])
    assert heads.is_genuine(SignedHead.model_validate(head, strict=False))


PAGES = ("commands", "audit", "events", "approvals", "memory", "memory?q=x", "sessions")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("cursor", ["x", "bm90aGluZw", "é", "%00", "W10", "a" * 600])
async def test_a_cursor_that_is_none_is_the_callers_mistake(api: Api, path: str, cursor: str) -> None:
    answer = await api.http.get(path + ("&" if "?" in path else "?") + f"cursor={cursor}")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_arguments")


async def test_a_list_is_turned_page_by_page(api: Api, laptop: str) -> None:
    for _ in range(5):
        await api.http.post("commands", json={"device_id": laptop, "tool": "system_info"})
    whole = (await api.http.get("commands")).json()["items"]
    shown: list[object] = []
    page = (await api.http.get("commands", params={"limit": 2})).json()
    shown += page["items"]
    while page["next"] is not None:
        page = (await api.http.get("commands", params={"limit": 2, "cursor": page["next"]})).json()
        shown += page["items"]

    assert shown == whole
    assert len(whole) == 5
