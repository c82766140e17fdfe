"""A monitor counts what happens, by labels that nobody from outside can make more of."""

import asyncio

import pytest

from controller.instruments import Instruments, Standing
from controller.services import commands, devices, settling
from controller.services.users import UserRole
from controller.store.store import Session
from controller.store.tables import ToolExecution
from schemas.commands import ReplyStatus
from tests.controller.api.conftest import Api
from tests.controller.api.fleet import PEOPLE, a_fleet, token_of
from tests.controller.api.people import as_somebody
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile, a_reply, a_request, a_tool, later
from tests.scraped import Samples, labels_of, scraped, value

HERE = "http://orion/metrics"


async def scrape(api: Api) -> Samples:
    answer = await api.http.get(HERE)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return scraped(answer.text)


async def test_who_shows_no_token_is_told_nothing(api: Api) -> None:
    async with as_somebody(api, "nobody's") as stranger:
        answer = await stranger.get(HERE)

    assert answer.status_code == 401
    assert "http_requests_total" not in answer.text


@pytest.mark.parametrize("name", PEOPLE)
async def test_the_figures_of_all_devices_take_a_look_at_all_of_them(api: Api, name: str) -> None:
    await a_fleet(api)
    async with as_somebody(api, await token_of(api, name)) as client:
        answer = await client.get(HERE)

    sees_all = PEOPLE[name][0] is not UserRole.GUEST
    assert answer.status_code == (200 if sees_all else 403)
    assert ("http_requests_total" in answer.text) == sees_all


async def test_requests_are_counted_by_the_template_of_their_route(api: Api, laptop: str) -> None:
    for device_id in (laptop, "made-up-1", "made-up-2"):
        await api.http.get(f"devices/{device_id}")
    for odd in (
        "http://orion/made/up-3",
        "devices/%2e%2e%2fmade-up-4",
        "http://orion/api/v1/devices/made-up-5/x/y",
    ):
        await api.http.get(odd)
    await api.http.request("MADEUP", "devices/laptop")
    text = (await api.http.get(HERE)).text
    samples = scraped(text)

    route = "/api/v1/devices/{device_id}"
    assert value(samples, "http_requests_total", method="GET", route=route, status="200") == 1
    assert value(samples, "http_requests_total", method="GET", route=route, status="404") >= 2
    assert value(samples, "http_request_duration_seconds_count", method="GET", route=route) >= 3
    assert value(samples, "http_requests_total", method="GET", route="none", status="404") >= 2
    assert value(samples, "http_requests_total", method="other", route=route, status="405") == 1
    assert "made" not in text.lower()


async def test_a_route_is_named_as_the_description_names_it(api: Api) -> None:
    await api.http.get("memory/somebody/any/thing")
    await api.http.get("http://orion/docs/assets/nothing.js")
    described = set((await api.http.get("openapi.json")).json()["paths"])

    routes = labels_of(await scrape(api), "http_requests_total", "route") - {"none"}
    assert [route for route in routes if ":" in route] == []
    assert described & routes


def test_what_never_happened_yet_is_zero() -> None:
    samples = scraped(Instruments().render(Standing()).decode())

    ended = {"succeeded", "failed", "denied", "rejected", "expired", "cancelled", "interrupted"}
    assert labels_of(samples, "commands_total", "status") == ended
    asked = {"answered", "failed", "given_up"}
    assert labels_of(samples, "llm_requests_total", "outcome") == asked
    assert labels_of(samples, "llm_duration_seconds_count", "outcome") == asked
    assert not any(
        found
        for (name, _), found in samples.items()
        if name.startswith(("commands", "llm")) and not name.endswith("_created")
    )


async def test_an_answer_that_failed_is_counted_too(api: Api) -> None:
    def boom() -> None:
        raise RuntimeError("a defect")

    api.app.add_api_route("/boom", boom)

    assert (await api.http.get("http://orion/boom")).status_code == 500
    assert value(await scrape(api), "http_requests_total", method="GET", route="/boom", status="500") == 1


async def test_commands_are_counted_by_how_they_ended(api: Api, laptop: str) -> None:
    def order(session: Session) -> None:
        done = commands.submit(session, a_request(), actor=ADMIN, now=NOON)
        settling.settle(session, laptop, a_reply(done.id), now=later(2))
        commands.submit(session, a_request("no_such_tool"), actor=ADMIN, now=NOON)
        commands.submit(session, a_request(), actor=ADMIN, now=NOON)

    await api.store.write(order)
    samples = await scrape(api)

    assert value(samples, "commands_total", status="succeeded") == 1
    assert value(samples, "commands_total", status="denied") == 1
    assert value(samples, "commands_open", status="queued") == 1
    assert value(samples, "commands_open", status="awaiting_approval") == 0
    assert value(samples, "command_duration_seconds_count", tool="create_directory") == 1
    assert value(samples, "command_duration_seconds_sum", tool="create_directory") == 2
    assert labels_of(samples, "command_duration_seconds_count", "tool") == {"create_directory"}


async def test_a_tool_that_a_third_party_named_is_no_label(api: Api) -> None:
    tools = [a_tool(f"made_up_{number}", risk="low") for number in range(3)]

    def order(session: Session) -> None:
        devices.add(session, a_place("pump"), actor=ADMIN, now=NOON)
        devices.store_profile(session, "pump", a_profile("pump", tools=tools), now=NOON)
        devices.store_presence(session, "pump", a_presence(), now=NOON)
        for tool in tools:
            row = commands.submit(session, a_request(tool.name, device_id="pump"), actor=ADMIN, now=NOON)
            row = session.get_one(ToolExecution, row.id)
            settling.settle(session, "pump", a_reply(row.id, ReplyStatus.FAILED), now=later(1))

    await api.store.write(order)

    assert "made_up" not in (await api.http.get(HERE)).text


async def test_devices_queues_and_connections_are_as_they_are_now(api: Api, laptop: str) -> None:
    await api.store.write(lambda session: devices.add(session, a_place("nas"), actor=ADMIN, now=NOON))
    samples = await scrape(api)

    states = {
        state: value(samples, "devices", state=state) for state in labels_of(samples, "devices", "state")
    }
    assert states == {"online": 1, "never_seen": 1, "offline": 0, "stale": 0, "arriving": 0}
    assert labels_of(samples, "queue_length", "queue") == {"writer", "inbox", "outbox"}
    assert value(samples, "db_pool_connections", pool="readers", state="idle") >= 1
    assert value(samples, "mqtt_connected") == 0


async def test_what_a_database_that_is_away_cannot_tell_is_left_out(api: Api, laptop: str) -> None:
    await asyncio.to_thread(api.store.close)
    samples = await scrape(api)

    assert labels_of(samples, "devices", "state") == set()
    assert value(samples, "queue_length", queue="writer") == 0
    assert labels_of(samples, "queue_length", "queue") == {"writer", "inbox", "outbox"}


def test_two_controllers_in_one_program_count_for_themselves() -> None:
    one, other = Instruments(), Instruments()
    one.stored(0.5)

    assert value(scraped(one.render(Standing()).decode()), "mqtt_ingest_lag_seconds_count") == 1
    assert value(scraped(other.render(Standing()).decode()), "mqtt_ingest_lag_seconds_count") == 0
