"""What a device measured, over HTTP."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from controller.services import devices, metrics
from controller.services.metrics import Sample
from tests.controller.api.conftest import Api
from tests.factories import ADMIN, NOON, a_place


async def measured(api: Api) -> None:
    now = datetime.now(UTC)
    samples = [
        Sample("sensor", measure, now - timedelta(minutes=10), 2, 20.0, 10.0, 30.0)
        for measure in ("cpu", "disk:/", "disk:/home")
    ]
    await api.store.write(partial(devices.add, new=a_place("sensor"), actor=ADMIN, now=NOON))
    await api.store.write(partial(metrics.record, samples=samples))


async def test_a_kind_of_measure_stands_for_all_of_it(api: Api) -> None:
    await measured(api)
    answer = await api.http.get("devices/sensor/history", params={"measure": "disk", "back_s": 3600})

    found = answer.json()
    assert (found["device_id"], found["step_s"], found["rows_s"]) == ("sensor", 60, 0)
    assert [(each["measure"], each["unit"]) for each in found["items"]] == [
        ("disk:/", "%"),
        ("disk:/home", "%"),
    ]
    (point,) = found["items"][0]["points"]
    assert (point["count"], point["mean"], point["low"], point["high"]) == (2, 20.0, 10.0, 30.0)


@pytest.mark.parametrize(
    ("device_id", "query", "status"),
    [
        ("sensor", {"back_s": "0"}, 422),
        ("sensor", {"back_s": "nan"}, 422),
        ("sensor", {"back_s": "inf"}, 422),
        ("sensor", {"back_s": "1e300"}, 422),
        ("sensor", {"points": "0"}, 422),
        ("sensor", {"points": "1000000"}, 422),
        ("sensor", {"measure": ""}, 422),
        ("sensor", {"measure": "x" * 65}, 422),
        ("sensor", {"measure": "cpu' OR 1=1 --"}, 404),
        ("sensor", {"measure": "\x00"}, 404),
        ("nowhere", {}, 404),
    ],
)
async def test_what_cannot_be_asked_is_refused(
    api: Api, device_id: str, query: dict[str, str], status: int
) -> None:
    await measured(api)
    assert (await api.http.get(f"devices/{device_id}/history", params=query)).status_code == status
