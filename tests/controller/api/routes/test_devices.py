"""A place is prepared, changed and taken away over HTTP, and what waits for it with it."""

import pytest

from controller.services import devices
from controller.store.store import Session
from schemas.errors import ErrorCode
from tests.controller.api.conftest import Api
from tests.controller.api.routes.orders import DELETE
from tests.factories import NOON, a_profile

ANY = {"If-Match": "*"}


async def test_a_place_is_prepared_looked_at_changed_and_taken_away(api: Api) -> None:
    wanted = {"device_id": "pump", "name": "Pump", "aliases": ["pomp"], "allowed_paths": ["/srv"]}
    added = await api.http.post("devices", json=wanted)
    assert added.status_code == 201
    assert added.json()["mqtt"]["username"] == "pump"
    assert "password" not in added.json()["mqtt"]  # this broker is administered elsewhere
    assert (await api.http.post("devices", json=wanted)).json()["code"] == ErrorCode.ALREADY_EXISTS
    assert (await api.http.post("devices/pump/adopt", headers=ANY)).status_code == 409

    await api.store.write(lambda session: devices.store_profile(session, "pump", a_profile("pump"), now=NOON))
    seen = (await api.http.get("devices/pump")).json()
    assert seen["allowed_paths"] == ["/srv/files"]
    assert not any(tool["adopted"] for tool in seen["tools"])
    adopted = await api.http.post("devices/pump/adopt", headers=ANY)
    assert all(tool["adopted"] for tool in adopted.json()["tools"])

    changed = await api.http.patch(
        "devices/pump", json={"policy": "manage", "unlimited": ["allowed_paths"]}, headers=ANY
    )
    assert changed.json()["owner_allows"]["paths"] is None
    assert changed.json()["policy"] == "manage"
    assert [item["device_id"] for item in (await api.http.get("devices")).json()["items"]] == ["pump"]

    assert (await api.http.delete("devices/pump", headers=ANY)).status_code == 204
    assert (await api.http.get("devices/pump")).status_code == 404
    assert (await api.http.delete("devices/pump", headers=ANY)).status_code == 404


@pytest.mark.parametrize("field", ["policy", "name", "aliases", "groups", "device_id", "x"])
async def test_only_lists_can_be_made_unlimited(api: Api, laptop: str, field: str) -> None:
    answer = await api.http.patch("devices/laptop", json={"unlimited": [field]}, headers=ANY)

    assert answer.status_code == 422


async def test_a_stricter_policy_denies_what_still_waits(api: Api, laptop: str) -> None:
    asked = (await api.http.post("commands", json=DELETE)).json()

    await api.http.patch("devices/laptop", json={"policy": "observe"}, headers=ANY)

    view = (await api.http.get(f"commands/{asked['command_id']}")).json()
    assert (view["status"], view["error"]["code"]) == ("denied", ErrorCode.PERMISSION_DENIED)
    assert (await api.http.get(f"approvals/{asked['approval_id']}")).json()["status"] == "cancelled"


async def test_what_waits_for_a_removed_device_is_denied(api: Api, laptop: str) -> None:
    asked = (await api.http.post("commands", json=DELETE)).json()

    await api.http.delete("devices/laptop", headers=ANY)

    view = (await api.http.get(f"commands/{asked['command_id']}")).json()
    assert (view["status"], view["error"]["code"]) == ("denied", ErrorCode.UNKNOWN_DEVICE)


async def test_a_device_with_an_unusable_schema_is_still_shown(api: Api, laptop: str) -> None:
    def spoil(session: Session) -> None:
        tools = [{"name": "odd", "description": "", "parameters": {"type": "object", "properties": [1]}}]
        profile = a_profile().model_validate(a_profile().to_json() | {"tools": tools}, strict=False)
        devices.store_profile(session, "laptop", profile, now=NOON)

    await api.store.write(spoil)

    assert [tool["name"] for tool in (await api.http.get("devices/laptop")).json()["tools"]] == ["odd"]


async def test_a_foreign_broker_is_not_administered_here(api: Api) -> None:
    assert (await api.http.post("debug-users", json={})).status_code == 409
    assert (await api.http.delete("debug-users/debug.user")).status_code == 409
