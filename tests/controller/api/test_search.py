"""Full-text search over HTTP."""

from functools import partial
from typing import Any

import pytest

from controller.services import audit, devices, events
from controller.store.store import Session
from tests.controller.api.conftest import Api
from tests.factories import ADMIN, NOON, a_place, an_event, later


async def noted(api: Api) -> None:
    def write(session: Session) -> None:
        for number in range(5):
            audit.record(
                session, "orchid.watered", now=later(number), device_id="laptop", detail={"n": number}
            )
        events.store(session, "laptop", an_event(type="orchid_dry"), now=later(9))

    await api.store.write(write)


async def test_what_is_found_names_its_row_and_its_words(api: Api) -> None:
    await noted(api)

    answer = await api.http.get("search", params={"q": "Orchids", "limit": 1})

    assert answer.status_code == 200
    assert answer.json()["items"] == [
        {
            "kind": "event",
            "at": "2026-02-12T12:00:09.000Z",
            "by": "laptop",
            "device_id": "laptop",
            "title": "orchid_dry, warning",
            "text": "",
            "found": ["orchid"],
            "untrusted": True,
            "reference": {"event_id": "event-1", "device_id": "laptop"},
        }
    ]
    assert answer.json()["next"] is not None


async def test_the_next_page_begins_behind_the_one_before(api: Api) -> None:
    await noted(api)
    seen: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.http.get("search", params={"q": "orchid", "limit": "4", **cursor})).json()
        seen += [item["at"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}

    assert len(seen) == 6
    assert seen == sorted(seen, reverse=True)


async def test_filters_are_taken_together(api: Api) -> None:
    await noted(api)
    query = {"q": "orchid", "device_id": "laptop", "since": NOON.isoformat(), "until": later(2).isoformat()}

    answer = await api.http.get("search", params={**query, "kind": ["audit", "memory"]})

    assert [item["text"] for item in answer.json()["items"]] == ["n=1", "n=0"]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"q": ""},
        {"q": "()*"},
        {"q": "x" * 10_000},
        {"q": "😀"},
        {"q": "a\0"} | {"kind": "nothing"},
        {"q": "a", "since": "yesterday"},
        {"q": "a", "since": "2026-01-01T00:00:00"},
        {"q": "a", "since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
        {"q": "a", "limit": 0},
        {"q": "a", "limit": 10**6},
        {"q": "a", "device_id": "../x"},
        {"q": "a", "cursor": "1; DROP"},
    ],
)
async def test_what_cannot_be_asked_is_refused_with_a_reason(api: Api, query: dict[str, Any]) -> None:
    answer = await api.http.get("search", params=query)

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_arguments"
    assert len(answer.json()["detail"]) > 10


async def test_a_device_that_never_was_here_is_named_instead_of_nothing_found(api: Api) -> None:
    await api.store.write(partial(devices.add, new=a_place(), actor=ADMIN, now=NOON))

    unknown = await api.http.get("search", params={"q": "orchid", "device_id": "lap-top"})
    known = await api.http.get("search", params={"q": "nowhere", "device_id": "laptop"})

    assert unknown.status_code == 404
    assert unknown.json()["code"] == "unknown_device"
    assert (known.status_code, known.json()["items"]) == (200, [])


async def test_who_has_no_token_finds_nothing(api: Api) -> None:
    answer = await api.http.get("search", params={"q": "a"}, headers={"Authorization": "Bearer x"})

    assert answer.status_code == 401
