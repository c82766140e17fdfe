"""What an orchestrator and a monitor ask: no neighbour takes it from them, and what they can hear is described."""

from typing import Any

import httpx
import pytest

from controller.api.access.buckets import PRIVILEGE
from controller.api.edge.bodies import MAX_HEADERS
from controller.api.edge.rates import UNCOUNTED
from schemas.wire import MAX_PAYLOAD
from tests.controller.api.conftest import Api
from tests.controller.api.documented import document
from tests.controller.api.test_edge import whole

PROBES = ("http://orion/healthz", "http://orion/readyz")
MONITORED = (*PROBES, "http://orion/metrics")


def bodies(length: int) -> dict[str, str]:
    return {"Content-Length": str(length)}


async def test_a_neighbour_who_asks_much_makes_no_probe_fail(api: Api) -> None:
    async with whole(api, api_rate=1e-6, api_burst=1) as client:
        answers = [await client.get("health") for _ in range(PRIVILEGE + 1)]
        alive, ready = [await client.get(path) for path in PROBES]
        also = await client.head(PROBES[0])
        counted = await client.get("http://orion/metrics")

    assert answers[-1].status_code == 429
    assert (alive.status_code, also.status_code) == (200, 200)
    assert ready.json()["checks"]["database"] == {"state": "ok"}
    assert counted.status_code == 429


async def test_a_probe_uses_up_nothing_of_what_its_neighbours_may_ask(api: Api) -> None:
    async with whole(api, api_rate=1e-6, api_burst=1) as client:
        for _ in range(2 * PRIVILEGE):
            await client.get(PROBES[0])

        assert (await client.get("health")).status_code == 200


@pytest.mark.parametrize("path", MONITORED)
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Host": "evil.example.org"}, 421),
        ({"X": "x" * MAX_HEADERS}, 431),
        (bodies(MAX_PAYLOAD + 1), 413),
        (bodies(2) | {"Transfer-Encoding": "chunked"}, 400),
    ],
)
async def test_what_the_edge_says_to_a_monitor_is_described(
    api: Api, path: str, headers: dict[str, str], expected: int
) -> None:
    request = api.http.build_request("GET", path)
    request.headers.update(headers)

    assert (await api.http.send(request)).status_code == expected  # and is held to the description


async def test_who_is_said_twice_to_be_asking_is_told_so_at_a_probe_too(api: Api) -> None:
    for path in MONITORED:
        request = api.http.build_request("GET", path)
        request.headers = httpx.Headers([*request.headers.multi_items(), ("authorization", "Bearer x")])
        assert (await api.http.send(request)).status_code == 400


def operations() -> list[tuple[str, dict[str, Any]]]:
    return [(path, each) for path, methods in document()["paths"].items() for each in methods.values()]


def test_what_everybody_can_hear_is_described_everywhere() -> None:
    for path, operation in operations():
        assert {"400", "408", "413", "421", "431"} <= set(operation["responses"]), path
        assert ("429" in operation["responses"]) == (path not in UNCOUNTED), path
