"""Each request has a trace: the caller's or one of its own, which joins nothing and decides nothing."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from controller.services.users import UserRole
from controller.store.store import Session
from controller.store.tables import AuditEntry
from schemas.traces import Trace
from tests.controller.api.conftest import Api
from tests.controller.api.people import as_somebody, sign_in, somebody
from tests.controller.api.routes.orders import CREATE, DELETE

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = {"traceparent": Trace(TRACE, "00f067aa0ba902b7").traceparent}
HEX = re.compile(r"[0-9a-f]{32}")


async def audited(api: Api, trace_id: str) -> list[str]:
    """The actions that were put on record for a trace."""

    def read(session: Session) -> list[str]:
        query = select(AuditEntry.action).where(AuditEntry.trace_id == trace_id)
        return list(session.exec(query.order_by(col(AuditEntry.number))))

    return await api.store.read(read)


async def test_each_answer_says_its_trace_and_no_two_are_one(api: Api) -> None:
    answers = [await api.http.get(path) for path in ("devices", "devices", "http://orion/healthz")]

    found = {answer.headers["trace-id"] for answer in answers}
    assert len(found) == 3
    assert all(HEX.fullmatch(each) for each in found)


async def test_a_callers_trace_goes_on_to_the_command_and_the_audit(api: Api, laptop: str) -> None:
    answer = await api.http.post("commands", json=CREATE, headers=CALLER)

    assert answer.headers["trace-id"] == TRACE
    assert answer.json()["trace_id"] == TRACE
    assert await audited(api, TRACE) == ["decision.allow"]


async def test_without_one_the_command_belongs_to_the_requests_own(api: Api, laptop: str) -> None:
    answer = await api.http.post("commands", json=CREATE)

    assert answer.json()["trace_id"] == answer.headers["trace-id"]


async def test_what_concerns_no_command_is_on_record_with_its_trace_too(api: Api) -> None:
    answer = await api.http.post("users", json={"username": "mia", "role": "viewer"}, headers=CALLER)

    assert answer.status_code == 201
    assert await audited(api, TRACE) == ["user.added"]


async def test_a_sentence_and_all_that_it_orders_are_one_trace(api: Api, laptop: str) -> None:
    answer = await api.http.post("ask", json={"text": "which devices are there?"}, headers=CALLER)

    commands = [json.loads(line) for line in answer.text.splitlines() if '"tool_call"' in line]
    assert commands
    assert await audited(api, TRACE) == ["request.received", "command.succeeded"]
    shown = (await api.http.get(f"commands/{commands[0]['command_id']}")).json()
    assert shown["trace_id"] == TRACE


async def test_an_order_to_a_group_is_one_trace(api: Api, laptop: str) -> None:
    await api.http.patch("devices/laptop", json={"groups": ["lab"]}, headers={"If-Match": "*"})
    order = {key: value for key, value in CREATE.items() if key != "device_id"} | {"group": "lab"}
    parent = (await api.http.post("commands", json=order, headers=CALLER)).json()
    children = (await api.http.get("commands", params={"parent_id": parent["command_id"]})).json()["items"]

    assert {each["trace_id"] for each in [parent, *children]} == {TRACE}
    assert len(children) == 1


def boom() -> None:
    raise RuntimeError("a defect, which nobody outside reads")


WRONG: list[tuple[int, str, str, dict[str, str]]] = [
    (404, "GET", "devices/nobody", {}),
    (404, "GET", "http://orion/nowhere", {}),
    (422, "GET", "commands?limit=x", {}),
    (500, "GET", "http://orion/boom", {}),
    (401, "GET", "users", {"Authorization": "Bearer x"}),
    (405, "GET", "devices/laptop/revoke", {}),
    (413, "POST", "ask", {"Content-Length": "999999999"}),
    (400, "POST", "ask", {"Transfer-Encoding": "chunked", "Content-Length": "2"}),
]


@pytest.mark.parametrize(("status", "method", "path", "more"), WRONG)
async def test_each_error_says_the_trace_that_its_log_lines_have(
    api: Api, status: int, method: str, path: str, more: dict[str, str]
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"

    api.app.add_api_route("/boom", boom)
    body = chunks() if "Transfer-Encoding" in more else b"x" if method == "POST" else None
    answer = await api.http.request(method, path, headers=more | CALLER, content=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["trace_id"] == answer.headers["trace-id"] == TRACE


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
        b"\xff\x00\xe9-'; DROP TABLE audit_log;--",
        b"x" * 60_000,
    ],
)
async def test_an_odd_one_counts_for_nothing_and_breaks_nothing(api: Api, laptop: str, said: bytes) -> None:
    answer = await api.http.post("commands", json=CREATE, headers=[(b"traceparent", said)])

    assert answer.status_code == 202
    assert HEX.fullmatch(answer.json()["trace_id"])
    assert answer.json()["trace_id"] != TRACE


async def test_of_two_that_contradict_each_other_none_counts(api: Api) -> None:
    other = Trace("a" * 32, "b" * 16).traceparent
    answer = await api.http.get(
        "devices", headers=[("traceparent", CALLER["traceparent"]), ("traceparent", other)]
    )

    assert answer.headers["trace-id"] not in (TRACE, "a" * 32)


async def order(client: httpx.AsyncClient) -> dict[str, Any]:
    ordered: dict[str, Any] = (await client.post("commands", json=DELETE, headers=CALLER)).json()
    assert ordered["status"] == "awaiting_approval"
    return ordered


async def test_two_orders_with_one_trace_are_not_one_plan(api: Api, laptop: str) -> None:
    for name in ("mia", "otto"):
        await somebody(api, name, UserRole.OPERATOR)
    tokens = {name: (await sign_in(api, name)).json()["access_token"] for name in ("mia", "otto")}
    async with as_somebody(api, tokens["mia"]) as mia, as_somebody(api, tokens["otto"]) as otto:
        hers, his = await order(mia), await order(otto)
    assert hers["trace_id"] == his["trace_id"] == TRACE

    decided = (
        await api.http.post(f"approvals/{hers['approval_id']}/decision", json={"decision": "approve"})
    ).json()

    assert [each["command_id"] for each in decided["results"]] == [hers["command_id"]]
    assert (await api.http.get(f"commands/{hers['command_id']}")).json()["status"] != "awaiting_approval"
    assert (await api.http.get(f"commands/{his['command_id']}")).json()["status"] == "awaiting_approval"
    assert (await api.http.get(f"approvals/{his['approval_id']}")).json()["status"] == "pending"
