"""A schedule whose time comes, on a real broker with our own node."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import create_engine, update

from controller.store.tables import METADATA
from tests.flows.installation import Installation, RunningNode

FOLDER = {
    "cron": "0 7 * * 1-5",
    "zone": "Europe/Amsterdam",
    "device_id": "laptop",
    "tool": "create_directory",
    "arguments": {"path": "Today"},
}


def hurry(url: str) -> None:
    """Have the time come that every schedule waits for."""
    engine = create_engine(url)
    table = METADATA.tables["schedules"]
    with engine.begin() as connection:
        connection.execute(update(table).values(next_run_at=datetime.now(UTC)))
    engine.dispose()


async def runs_of(orion: Installation, path: str, count: int) -> list[dict[str, Any]]:
    """Its runs, the newest first, once so many are over."""
    async with asyncio.timeout(20):
        while True:
            found: list[dict[str, Any]] = (await orion.http.get(f"{path}/runs")).json()["items"]
            if len(found) >= count and all(each["status"] != "queued" for each in found):
                return found
            await asyncio.sleep(0.05)


async def test_its_time_comes_and_the_folder_is_there(orion: Installation, laptop: RunningNode) -> None:
    made = await orion.http.post("schedules", json=FOLDER)
    assert made.status_code == 201, made.text
    path = f"schedules/{made.json()['schedule_id']}"
    planned = made.json()["next_run_at"]

    await asyncio.to_thread(hurry, orion.settings.database_url)
    async with asyncio.timeout(20):
        while not (laptop.folder / "Today").is_dir():
            await asyncio.sleep(0.05)
    (run,) = await runs_of(orion, path, 1)

    assert (run["outcome"], run["status"]) == ("ordered", "succeeded")
    seen = (await orion.http.get(path)).json()
    assert (seen["next_run_at"], seen["paused"]) == (planned, None)

    await orion.http.patch(
        "devices/laptop", json={"policy": "observe", "allowed_tools": []}, headers={"If-Match": "*"}
    )
    await asyncio.to_thread(hurry, orion.settings.database_url)
    refused, _ = await runs_of(orion, path, 2)

    assert (refused["outcome"], refused["status"]) == ("refused", "denied")
    paused = (await orion.http.get(path)).json()["paused"]
    assert (paused["by"], paused["reason"]) == ("system", refused["reason"])
    told = (await orion.http.get("events", params={"device_id": "laptop"})).json()["items"]
    assert [
        each["data"]["schedule_id"] for each in told if each["data"].get("code") == "schedule_paused"
    ] == [made.json()["schedule_id"]]
