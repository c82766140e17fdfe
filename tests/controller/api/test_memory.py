"""Memory and sessions over HTTP."""

from typing import Any

import pytest

from controller.services import conversations
from controller.services.actors import Actor
from controller.store.store import Session
from schemas.errors import ErrorCode
from tests.controller.api.conftest import Api
from tests.factories import NOON, OPERATOR


async def put(api: Api, key: str, value: Any = "in the cupboard", **more: Any) -> dict[str, Any]:
    answer = await api.http.put(f"memory/{key}", json={"value": value, **more})
    assert answer.status_code == 200, answer.text
    kept: dict[str, Any] = answer.json()
    return kept


async def keys(api: Api, **query: Any) -> list[str]:
    answer = await api.http.get("memory", params=query)
    return [item["key"] for item in answer.json()["items"]]


async def a_conversation(api: Api, actor: Actor) -> str:
    def begin(session: Session) -> str:
        row = conversations.begin(session, actor=actor, now=NOON)
        session.flush()
        conversations.say(session, row, "user", "hello", now=NOON)
        return row.id

    return await api.store.write(begin)


async def test_a_memory_is_kept_read_found_and_forgotten(api: Api) -> None:
    kept = await put(api, "nas%2Fplace", tags=["storage"], expires_in_s=60)
    await put(api, "other", {"x": 1}, scope="global", category="place")

    assert (kept["key"], kept["scope"], kept["owner"], kept["source"]) == (
        "nas/place", "user", "admin", "person",
    )  # fmt: skip
    assert kept["expires_at"] > kept["created_at"]
    assert (await api.http.get("memory/nas%2Fplace")).json() == kept
    assert await keys(api) == ["other", "nas/place"]
    assert await keys(api, q="storage") == ["nas/place"]
    assert await keys(api, category="place") == ["other"]
    assert await keys(api, scope="global") == ["other"]
    assert (await api.http.delete("memory/nas%2Fplace")).status_code == 204
    assert (await api.http.get("memory/nas%2Fplace")).status_code == 404
    assert (await api.http.delete("memory/nas%2Fplace")).json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"value": None}, 422),
        ({"value": "x" * 9_000}, 422),
        ({"value": 1, "tags": [""]}, 422),
        ({"value": 1, "expires_in_s": 0}, 422),
        ({"value": 1, "scope": "device", "owner": "nowhere"}, 404),
        ({"value": 1, "scope": "session", "owner": "nowhere"}, 404),
        ({"value": 1, "scope": "device"}, 422),
        ({"value": 1, "source": "device"}, 422),
        ({}, 422),
    ],
)
async def test_what_cannot_be_kept_is_said_with_a_code(api: Api, body: dict[str, Any], status: int) -> None:
    answer = await api.http.put("memory/nas", json=body)

    assert (answer.status_code, bool(answer.json()["code"])) == (status, True)
    assert await keys(api) == []


async def test_conversations_are_listed_shown_and_ended(api: Api) -> None:
    session_id = await a_conversation(api, OPERATOR)

    [listed] = (await api.http.get("sessions")).json()["items"]
    assert (listed["session_id"], listed["user"], listed["messages_count"]) == (session_id, "otto", 1)
    assert (await api.http.get("sessions", params={"mine": True})).json()["items"] == []
    shown = (await api.http.get(f"sessions/{session_id}")).json()
    assert [(each["role"], each["content"]) for each in shown["messages"]] == [("user", "hello")]
    ended = (await api.http.post(f"sessions/{session_id}/end")).json()
    assert (ended["active"], bool(ended["ended_at"])) == (False, True)
    assert (await api.http.get("sessions", params={"active": True})).json()["items"] == []


async def test_a_conversation_that_was_ended_is_not_gone_on_with(api: Api) -> None:
    first = (await api.http.post("ask", json={"text": "help"})).text.splitlines()[-1]
    session_id = first.split('"session_id": "')[1].split('"')[0]
    await api.http.post(f"sessions/{session_id}/end")

    answer = await api.http.post("ask", json={"text": "help", "session_id": session_id})

    assert (answer.status_code, answer.json()["code"]) == (409, ErrorCode.CONFLICT)
    assert "has ended" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["sessions/nothing", "memory/nothing"])
async def test_what_is_not_there_is_not_found(api: Api, path: str) -> None:
    assert (await api.http.get(path)).status_code == 404
