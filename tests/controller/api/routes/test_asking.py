"""An answer is a stream of responses to whoever asked, with the report last."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from controller.services.orders import Status
from schemas.assistant import MAX_TEXT, Response
from schemas.errors import ErrorCode
from tests.controller.api.conftest import Api


async def lines_of(http: httpx.AsyncClient, text: str, **more: Any) -> list[dict[str, Any]]:
    async with http.stream("POST", "ask", json={"text": text, **more}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) async for line in answer.aiter_lines()]


async def test_an_answer_is_a_stream_of_responses_with_the_report_last(api: Api, laptop: str) -> None:
    *said, report = await lines_of(api.http, "Delete the folder Test on laptop")

    responses = [Response.decode(json.dumps(line).encode()) for line in said]
    assert [response.seq for response in responses] == list(range(len(said)))
    assert [response.type for response in responses][-1] == "final"
    assert "approval_required" in [response.type for response in responses]
    assert report["type"] == "report"
    assert report["calls"][0]["status"] == Status.AWAITING_APPROVAL
    assert report["planner"] == "offline"


async def test_a_conversation_goes_on_and_is_nobody_elses(api: Api, laptop: str) -> None:
    report = (await lines_of(api.http, "Delete the folder Test on laptop"))[-1]

    again = (await lines_of(api.http, "Delete the folder B on laptop", session_id=report["session_id"]))[-1]
    assert again["session_id"] == report["session_id"]
    unknown = await api.http.post("ask", json={"text": "x", "session_id": "somebody-elses"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, ErrorCode.NOT_FOUND)


async def test_two_at_once_get_each_their_own_answer(api: Api, laptop: str) -> None:
    first, second = await asyncio.gather(
        lines_of(api.http, "Delete the folder First on laptop"),
        lines_of(api.http, "Delete the folder Second on laptop"),
    )

    assert first[-1]["calls"][0]["arguments"] == {"path": "/srv/files/First"}
    assert second[-1]["calls"][0]["arguments"] == {"path": "/srv/files/Second"}
    assert {line["request_id"] for line in first} == {first[-1]["request_id"]}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": " \n"},
        {"text": 1},
        {"text": "x" * (MAX_TEXT + 1)},
        {"text": "x", "role": "admin"},
        {"text": "\ud800"},
    ],
)
async def test_a_request_that_does_not_fit_is_refused_before_anything_is_said(
    api: Api, body: dict[str, Any]
) -> None:
    answer = await api.http.post(
        "ask", content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 422
    assert (await api.http.get("audit")).json() == {"items": [], "next": None}


async def test_a_text_of_the_greatest_length_ends_in_an_answer(api: Api, laptop: str) -> None:
    report = (await lines_of(api.http, "maak een map " + "x" * (MAX_TEXT - 13)))[-1]

    assert report["outcome"] in ("declined", "refused", "question")
