"""Schedules over HTTP: made and read back, changed as they were seen, and nobody else's."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from controller import timetable
from controller.services import devices, schedules, users
from controller.services.users import UserRole
from controller.store.store import Session
from controller.store.tables import Schedule
from schemas.devices import Tool
from tests.controller.api.conftest import Api
from tests.controller.api.fleet import a_key
from tests.controller.api.people import as_somebody, sign_in, somebody
from tests.factories import NOON, a_profile

FOLDER = {
    "cron": "0 7 * * 1-5",
    "zone": "Europe/Amsterdam",
    "device_id": "laptop",
    "tool": "create_directory",
    "arguments": {"path": "Test"},
}


async def a_schedule(api: Api, **more: Any) -> dict[str, Any]:
    await api.store.write(partial(users.ensure_admin, now=NOON))
    answer = await api.http.post("schedules", json=FOLDER | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def token_of(api: Api, name: str, role: UserRole) -> str:
    await somebody(api, name, role)
    token: str = (await sign_in(api, name)).json()["access_token"]
    return token


async def run_at(api: Api, schedule_id: str, now: datetime) -> None:
    """Let its time have come, and the clock look."""

    def due(session: Session) -> None:
        session.get_one(Schedule, schedule_id).next_run_at = now

    await api.store.write(due)
    for each in await api.store.read(partial(schedules.due, now=now)):
        await api.store.write(
            partial(schedules.run, schedule_id=each, now=now, following=timetable.following)
        )


async def test_one_is_read_back_with_its_next_times(api: Api, laptop: str) -> None:
    answer = await api.http.post("schedules", json=FOLDER)

    made = answer.json()
    assert answer.headers["Location"] == f"/api/v1/schedules/{made['schedule_id']}"
    assert (made["name"], made["owner"], made["paused"]) == ("create_directory on laptop", "admin", None)
    times = [datetime.fromisoformat(each) for each in made["upcoming"]]
    assert made["next_run_at"] == made["upcoming"][0]
    assert times == sorted(set(times))
    assert all(each > datetime.now(UTC) and each.weekday() < 5 and each.hour in (5, 6) for each in times)
    seen = await api.http.get(f"schedules/{made['schedule_id']}")
    assert (seen.json(), seen.headers["ETag"]) == (made, answer.headers["ETag"])
    assert [each["schedule_id"] for each in (await api.http.get("schedules")).json()["items"]] == [
        made["schedule_id"]
    ]


async def test_without_a_zone_it_is_the_controllers(api: Api, laptop: str) -> None:
    answer = await api.http.post("schedules", json={k: v for k, v in FOLDER.items() if k != "zone"})
    assert answer.json()["zone"] == timetable.local_zone()


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"cron": "0 7 * * 9"}, 422, "no day of the week"),
        ({"cron": "0 0 30 2 *"}, 422, "never comes"),
        ({"zone": "Mars/Base"}, 422, "no time zone"),
        ({"missed": "never"}, 422, "missed"),
        ({"device_id": "nobody"}, 404, "no device"),
        ({"device_id": None}, 422, "either a device_id or a group"),
        ({"group": "lab"}, 422, "either a device_id or a group"),
        ({"device_id": None, "group": "lab"}, 404, "no group"),
        ({"stop_after": 1}, 422, "for a group only"),
        ({"tool": "fly"}, 422, "does not offer"),
        ({"arguments": {"path": "/etc"}}, 422, "outside the allowed folders"),
        ({"arguments": {"pth": "Test"}}, 422, "pth"),
        ({"dry_run": True}, 422, "dry_run"),
        ({"valid_s": 0}, 422, "valid_s"),
        ({"valid_s": 8 * 86_400.0}, 422, "valid_s"),
        ({"name": ""}, 422, "name"),
        ({"name": "two\nlines"}, 422, "name"),
        ({"name": "a\0b"}, 422, "name"),
        ({"condition": {"tool": "delete_path", "arguments": {"path": "Test"}}}, 403, "may only look"),
    ],
)
async def test_what_could_never_run_is_refused(
    api: Api, laptop: str, wrong: dict[str, Any], status: int, said: str
) -> None:
    answer = await api.http.post("schedules", json=FOLDER | wrong)

    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    assert (await api.http.get("schedules")).json()["items"] == []


async def test_a_secret_is_kept_by_no_schedule(api: Api, laptop: str) -> None:
    schema = {"type": "object", "properties": {"pin": {"type": "string", "writeOnly": True}}}
    tool = Tool.model_validate(
        {"name": "unlock", "description": "Opens.", "parameters": schema, "risk": "low"}, strict=False
    )

    def offered(session: Session) -> None:
        devices.store_profile(session, "laptop", a_profile(tools=[tool]), now=NOON)

    await api.store.write(offered)
    await api.http.post("devices/laptop/adopt", headers={"If-Match": "*"})

    answer = await api.http.post("schedules", json=FOLDER | {"tool": "unlock", "arguments": {"pin": "1234"}})

    assert (answer.status_code, "a schedule keeps none" in answer.json()["detail"]) == (422, True), (
        answer.text
    )


async def test_it_is_changed_by_who_says_what_they_saw(api: Api, laptop: str) -> None:
    made = await a_schedule(api)
    path = f"schedules/{made['schedule_id']}"
    seen = (await api.http.get(path)).headers["ETag"]

    assert (await api.http.patch(path, json={"cron": "0 8 * * *"})).status_code == 428
    changed = await api.http.patch(path, json={"cron": "0 8 * * *"}, headers={"If-Match": seen})
    assert (changed.status_code, changed.json()["cron"]) == (200, "0 8 * * *")
    assert changed.json()["next_run_at"] != made["next_run_at"]
    again = await api.http.patch(path, json={"cron": "0 9 * * *"}, headers={"If-Match": seen})
    assert again.status_code == 412
    odd = await api.http.patch(path, json={"arguments": {"path": "/etc"}}, headers={"If-Match": "*"})
    assert (odd.status_code, (await api.http.get(path)).json()["arguments"]) == (422, {"path": "Test"})
    assert (await api.http.delete(path, headers={"If-Match": seen})).status_code == 412
    assert (await api.http.delete(path, headers={"If-Match": "*"})).status_code == 204
    assert (await api.http.get(path)).status_code == 404


@pytest.mark.parametrize(
    "same", [{}, {"name": None, "cron": None, "arguments": None}, {"cron": FOLDER["cron"], "missed": "once"}]
)
async def test_a_change_that_changes_nothing_is_none(api: Api, laptop: str, same: dict[str, Any]) -> None:
    made = await a_schedule(api)
    path = f"schedules/{made['schedule_id']}"
    seen = (await api.http.get(path)).headers["ETag"]

    answer = await api.http.patch(path, json=same, headers={"If-Match": seen})

    assert (answer.status_code, answer.json(), answer.headers["ETag"]) == (200, made, seen)
    audit = (await api.http.get("audit", params={"action": "schedule."})).json()["items"]
    assert [each["action"] for each in audit] == ["schedule.added"]


async def test_a_resumption_says_nothing_more(api: Api, laptop: str) -> None:
    path = f"schedules/{(await a_schedule(api))['schedule_id']}/resume"

    assert (await api.http.post(path, json={"x": 1})).status_code == 422
    assert (await api.http.post(path, json={})).status_code == 200
    assert (await api.http.post(path)).status_code == 200


async def test_a_pause_has_no_next_time_and_a_resumed_one_has(api: Api, laptop: str) -> None:
    path = f"schedules/{(await a_schedule(api))['schedule_id']}"

    paused = (await api.http.post(f"{path}/pause", json={"reason": "on holiday"})).json()
    again = (await api.http.post(f"{path}/pause")).json()
    assert paused == again
    assert (paused["paused"]["by"], paused["paused"]["reason"]) == ("admin", "on holiday")
    assert (paused["next_run_at"], paused["upcoming"]) == (None, [])
    changed = await api.http.patch(path, json={"cron": "0 8 * * *"}, headers={"If-Match": "*"})
    assert changed.json()["next_run_at"] is None

    resumed = (await api.http.post(f"{path}/resume")).json()
    assert (resumed["paused"], len(resumed["upcoming"])) == (None, 3)


async def test_a_run_tells_its_command_and_what_became_of_it(api: Api, laptop: str) -> None:
    token = await token_of(api, "otto", UserRole.OPERATOR)
    async with as_somebody(api, token) as otto:
        made = (await otto.post("schedules", json=FOLDER)).json()
        await run_at(api, made["schedule_id"], datetime.now(UTC))
        (run,) = (await otto.get(f"schedules/{made['schedule_id']}/runs")).json()["items"]
        command = (await otto.get(f"commands/{run['command_id']}")).json()
        seen = (await otto.get(f"schedules/{made['schedule_id']}")).json()

    assert (run["outcome"], run["status"], run["reason"]) == ("ordered", "queued", None)
    assert (command["requested_by"], command["via"]) == ("otto", "schedule")
    assert seen["last_run"] == {"at": run["at"], "outcome": "ordered", "command_id": run["command_id"]}
    audit = (await api.http.get("audit", params={"action": "schedule."})).json()["items"]
    assert [(each["action"], each["actor"]) for each in audit] == [("schedule.added", "otto")]


async def test_somebody_elses_is_to_an_operator_what_was_never_there(api: Api, laptop: str) -> None:
    made = await a_schedule(api)
    path = f"schedules/{made['schedule_id']}"

    async with as_somebody(api, await token_of(api, "otto", UserRole.OPERATOR)) as otto:
        assert (await otto.get("schedules")).json()["items"] == []
        for method, where in (
            ("GET", ""), ("GET", "/runs"), ("POST", "/pause"), ("POST", "/resume"), ("DELETE", ""),
        ):  # fmt: skip
            answer = await otto.request(method, path + where, headers={"If-Match": "*"})
            stranger = await otto.request(method, f"schedules/nothing{where}", headers={"If-Match": "*"})
            assert (answer.status_code, stranger.status_code) == (404, 404)
            said = answer.json()["detail"].replace(made["schedule_id"], "nothing")
            assert said == stranger.json()["detail"]


async def test_a_viewer_makes_none(api: Api, laptop: str) -> None:
    async with as_somebody(api, await token_of(api, "vera", UserRole.VIEWER)) as vera:
        for tool in ({}, {"tool": "system_info", "arguments": {}}):
            answer = await vera.post("schedules", json=FOLDER | tool)
            assert (answer.status_code, "takes operator" in answer.json()["detail"]) == (403, True)


async def test_a_key_pauses_and_removes_and_makes_nothing(api: Api, laptop: str) -> None:
    made = await a_schedule(api)
    path = f"schedules/{made['schedule_id']}"
    key = await a_key(api, "admin", "schedules:write", "commands:write")

    async with as_somebody(api, key) as program:
        told_to_sign_in = [
            await program.post("schedules", json=FOLDER),
            await program.patch(path, json={"name": "Mine"}, headers={"If-Match": "*"}),
            await program.post(f"{path}/resume"),
        ]
        assert [each.status_code for each in told_to_sign_in] == [403] * 3
        assert all("sign in" in each.json()["detail"] for each in told_to_sign_in)
        assert (await program.post(f"{path}/pause")).json()["paused"]["by"] == "admin"
        assert (await program.delete(path, headers={"If-Match": "*"})).status_code == 204


async def test_lists_go_by_page_and_by_device(api: Api, laptop: str) -> None:
    made = [(await a_schedule(api, name=f"n{number}"))["name"] for number in range(3)]

    first = (await api.http.get("schedules", params={"limit": 2})).json()
    rest = (await api.http.get("schedules", params={"limit": 2, "cursor": first["next"]})).json()

    assert [each["name"] for each in [*first["items"], *rest["items"]]] == made[::-1]
    assert rest["next"] is None
    assert len((await api.http.get("schedules", params={"device_id": "laptop"})).json()["items"]) == 3
    assert (await api.http.get("schedules", params={"device_id": "nas"})).json()["items"] == []


async def test_a_key_for_some_devices_sees_the_schedules_of_these(api: Api, laptop: str) -> None:
    made = await a_schedule(api)
    for devices_, status, count in ((("laptop",), 200, 1), (("nas",), 404, 0)):
        key = await a_key(api, "admin", "schedules:read", devices=devices_)
        async with as_somebody(api, key) as program:
            assert (await program.get(f"schedules/{made['schedule_id']}")).status_code == status
            assert len((await program.get("schedules")).json()["items"]) == count
