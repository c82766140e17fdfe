"""Links between devices over HTTP."""

import pytest

from controller.services import devices
from controller.store.store import Session
from tests.controller.api.conftest import Api
from tests.factories import ADMIN, NOON, a_place


async def place(api: Api, *device_ids: str) -> None:
    def work(session: Session) -> None:
        for device_id in device_ids:
            devices.add(session, a_place(device_id), actor=ADMIN, now=NOON)

    await api.store.write(work)


async def test_links_are_made_shown_followed_and_taken_away(api: Api) -> None:
    await place(api, "nas", "tv", "remote")

    made = await api.http.put("devices/tv/links/depends_on/nas")
    assert (await api.http.put("devices/tv/links/depends_on/nas", json={})).status_code == 200
    await api.http.put("devices/remote/links/part_of/tv", json={})
    shown = (await api.http.get("devices/nas")).json()
    stopping = (await api.http.get("devices/nas/impact")).json()

    assert made.json() == {
        "device_id": "tv",
        "depends_on": ["nas"],
        "part_of": [],
        "needed_by": [],
        "parts": [],
    }
    assert (shown["needed_by"], shown["depends_on"]) == (["tv"], [])
    assert [(each["device_id"], each["kind"], each["via"]) for each in stopping["items"]] == [
        ("tv", "depends_on", "nas"),
        ("remote", "part_of", "tv"),
    ]
    circle = await api.http.put("devices/nas/links/depends_on/remote", json={})
    assert (circle.status_code, circle.json()["code"]) == (409, "conflict")
    assert (await api.http.delete("devices/tv/links/depends_on/nas")).status_code == 204
    assert (await api.http.delete("devices/tv/links/depends_on/nas")).status_code == 404
    assert (await api.http.get("devices/nas/impact")).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("devices/tv/links/likes/nas", 422),
        ("devices/tv/links/depends_on/NAS!", 422),
        ("devices/tv/links/depends_on/gone", 404),
        ("devices/tv/links/depends_on/tv", 422),
        ("devices/gone/links/depends_on/tv", 404),
    ],
)
async def test_what_is_no_link_is_refused(api: Api, path: str, status: int) -> None:
    await place(api, "nas", "tv")
    assert (await api.http.put(path, json={})).status_code == status
