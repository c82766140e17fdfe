"""What is on record is shown newest first, page by page, and its end is signed."""

import pytest

from controller.services import events, heads
from controller.services.heads import SignedHead
from tests.controller.api.conftest import Api
from tests.controller.api.routes.orders import CREATE
from tests.factories import NOON, an_event


async def test_the_records_are_shown_newest_first(api: Api, laptop: str) -> None:
    await api.store.write(lambda session: events.store(session, "laptop", an_event(data={"a": 1}), now=NOON))
    await api.http.post("commands", json=CREATE)

    found = (await api.http.get("events", params={"device_id": "laptop"})).json()["items"]
    assert [(item["event_id"], item["data"]) for item in found] == [("event-1", {"a": 1})]
    audited = (await api.http.get("audit", params={"action": "decision", "limit": 5})).json()["items"]
    assert [(item["action"], item["actor"]) for item in audited] == [("decision.allow", "admin")]
    for path in ("audit", "events", "commands", "approvals"):
        for limit in ("0", "100000", "x"):
            assert (await api.http.get(path, params={"limit": limit})).status_code == 422


async def test_the_end_of_the_audit_is_signed_when_somebody_asks(api: Api, laptop: str) -> None:
    last = (await api.http.get("audit", params={"limit": 1})).json()["items"][0]

    signed = await api.http.post("audit/heads")

    (head,) = signed.json()["items"]
    assert signed.status_code == 201
    assert (head["instance"], head["position"], head["hash"]) == ("main", last["position"], last["hash"])
    assert heads.is_genuine(SignedHead.model_validate(head, strict=False))


PAGES = ("commands", "audit", "events", "approvals", "memory", "memory?q=x", "sessions")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("cursor", ["x", "bm90aGluZw", "é", "%00", "W10", "a" * 600])
async def test_a_cursor_that_is_none_is_the_callers_mistake(api: Api, path: str, cursor: str) -> None:
    answer = await api.http.get(path + ("&" if "?" in path else "?") + f"cursor={cursor}")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_arguments")


async def test_a_list_is_turned_page_by_page(api: Api, laptop: str) -> None:
    for _ in range(5):
        await api.http.post("commands", json={"device_id": laptop, "tool": "system_info"})
    whole = (await api.http.get("commands")).json()["items"]
    shown: list[object] = []
    page = (await api.http.get("commands", params={"limit": 2})).json()
    shown += page["items"]
    while page["next"] is not None:
        page = (await api.http.get("commands", params={"limit": 2, "cursor": page["next"]})).json()
        shown += page["items"]

    assert shown == whole
    assert len(whole) == 5
