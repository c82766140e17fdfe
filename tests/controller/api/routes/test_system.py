"""The doctor looks at everything, and cleaning deletes what it has shown."""

import asyncio
from datetime import timedelta

from controller.services import devices, events
from controller.store import migrate
from controller.store.store import Session
from controller.store.tables import EventRow
from tests.controller.api.conftest import Api
from tests.factories import NOON, a_heartbeat, an_event, later


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
