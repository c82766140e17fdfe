"""A monitor sees who watches, who is refused, and who has not said yet who they are."""

import json

import websockets

from schemas.spans import Span
from tests.controller.api.live import watching
from tests.controller.api.live.lines import unauthorized
from tests.controller.api.live.watching import Stand
from tests.scraped import Samples, scraped, value

ROUTE = {"method": "GET", "route": "/api/v1/stream"}


async def scrape(stand: Stand) -> Samples:
    return scraped((await stand.api.http.get("http://orion/metrics")).text)


async def test_a_websocket_is_counted_as_it_begins_and_one_that_is_refused_by_its_status(
    stand: Stand,
) -> None:
    async with watching.socket(stand) as line:
        await watching.told(line)
        during = await scrape(stand)
    await unauthorized(stand, Authorization="Bearer wrong")
    await unauthorized(stand, Origin="https://evil.example")
    await unauthorized(stand, "?types=bla")
    await watching.until(lambda: not stand.server.server_state.connections)
    after = await scrape(stand)

    assert value(during, "http_requests_total", status="101", **ROUTE) == 1
    for status in ("101", "401", "403", "422"):
        assert value(after, "http_requests_total", status=status, **ROUTE) == 1, status
    assert value(after, "http_requests_total", status="500", **ROUTE) == 0
    assert value(after, "http_request_duration_seconds_count", **ROUTE) == 4


async def test_a_websocket_says_its_trace_whether_or_not_it_is_one(stand: Stand) -> None:
    told: list[Span] = []
    spans = stand.api.app.state.parts.spans
    spans._tell = told.append
    async with watching.socket(stand) as line:
        assert line.response is not None
        traces = [line.response.headers["trace-id"]]
    traces.append((await unauthorized(stand, Authorization="Bearer wrong")).headers["trace-id"])
    await watching.until(lambda: len(told) == 2)

    assert {span.trace.trace_id: span.facts["http.response.status_code"] for span in told} == dict(
        zip(traces, (101, 401), strict=True)
    )
    assert {span.name for span in told} == {"GET /api/v1/stream"}


async def test_open_streams_are_counted_by_their_kind_and_apart_from_who_is_unknown(stand: Stand) -> None:
    async with (
        watching.events(stand) as reader,
        watching.socket(stand) as line,
        websockets.connect(stand.ws_url, proxy=None) as silent,
    ):
        await reader.until("ready")
        await watching.told(line)
        unknown = await scrape(stand)
        await silent.send(json.dumps({"type": "auth", "token": stand.api.token}))
        await watching.told(silent)
        known = await scrape(stand)
    await watching.until(lambda: stand.live.count == 0)
    after = await scrape(stand)

    def shown(samples: Samples) -> tuple[float, ...]:
        streams = (value(samples, "streams_open", kind=kind) for kind in ("sse", "websocket"))
        return (*streams, value(samples, "websockets_unidentified"))

    assert [shown(each) for each in (unknown, known, after)] == [(1, 1, 1), (1, 2, 0), (0, 0, 0)]
