"""A real installation gives identities over HTTP, and outlives who goes away."""

import asyncio
from pathlib import Path

from schemas.errors import ErrorCode
from tests.broker.running import RunningBroker
from tests.flows.installation import installation


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
        ready = await orion.http.get(orion.http.base_url.copy_with(path="/readyz"))
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")  # there is no model
        assert ready.json()["checks"]["broker"] == {"state": "ok"}
        assert (await orion.http.delete("devices/pump", headers={"If-Match": "*"})).status_code == 204
