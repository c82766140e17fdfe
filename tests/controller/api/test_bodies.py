"""What comes in as a body, and what does not."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from controller.api.edge.answers import Answers
from controller.api.edge.bodies import Bodies
from controller.api.shapes.problems import MEDIA_TYPE
from schemas.errors import ErrorCode
from schemas.wire import MAX_PAYLOAD
from tests.controller.api.conftest import Api
from tests.controller.api.door import BODY


async def refused(api: Api, body: bytes, **headers: str) -> httpx.Response:
    answer = await api.http.post(
        "commands", content=body, headers={"Content-Type": "application/json"} | headers
    )
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["status"] == answer.status_code
    return answer


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"device_id": "laptop"}',
        json.dumps(BODY | {"extra": 1}).encode(),
        json.dumps(BODY | {"arguments": []}).encode(),
        json.dumps(BODY | {"arguments": {"a": float("nan")}}).encode(),
        json.dumps(BODY | {"arguments": {"a": "\ud800"}}).encode(),
        json.dumps(BODY | {"arguments": {"\ud800": 1}}).encode(),
        json.dumps(BODY | {"device_id": "LAPTOP/../x"}).encode(),
        json.dumps(BODY | {"valid_s": 0}).encode(),
        json.dumps(BODY | {"valid_s": 1e9}).encode(),
        json.dumps(BODY | {"timeout_s": -1}).encode(),
        json.dumps(BODY | {"timeout_s": "5"}).encode(),
        json.dumps(BODY | {"valid_s": True}).encode(),
        json.dumps(BODY | {"dry_run": 0}).encode(),
        json.dumps(BODY | {"when_online": "yes"}).encode(),
        b'{"device_id": "laptop", "tool": "t", "arguments": ' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"}",
        b"[" * 100_000,
        b'{"device_id": ' + b"1" * 5_000 + b"}",
    ],
)
async def test_a_body_that_does_not_fit_is_refused_and_nothing_is_recorded(api: Api, body: bytes) -> None:
    answer = await refused(api, body)

    assert answer.status_code in (400, 422)
    assert answer.json()["code"] == ErrorCode.INVALID_ARGUMENTS
    assert (await api.http.get("commands")).json() == {"items": [], "next": None}


@pytest.mark.parametrize("length", [f"{MAX_PAYLOAD + 1}", "9" * 5_000, "-1", "x", "\u00b2", ""])
async def test_a_body_of_another_length_than_allowed_is_refused_unread(api: Api, length: str) -> None:
    request = api.http.build_request("POST", "commands", content=b"{}")
    request.headers = httpx.Headers(
        [(b"authorization", f"Bearer {api.token}".encode()), (b"content-length", length.encode("latin-1"))]
    )

    answer = await api.http.send(request)

    assert answer.status_code == 413
    assert answer.json()["code"] == ErrorCode.PAYLOAD_TOO_LARGE


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "commands/c-1/cancel", 404), ("PUT", "devices", 405)]
)
async def test_what_says_nothing_of_a_body_has_none(api: Api, method: str, path: str, status: int) -> None:
    request = api.http.build_request(method, path)
    del request.headers["content-length"]

    assert (await api.http.send(request)).status_code == status


async def test_a_body_in_parts_is_taken_as_a_whole(api: Api, laptop: str) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for byte in json.dumps(BODY).encode():
            yield bytes([byte])

    answer = await api.http.post("commands", content=parts(), headers={"Content-Type": "application/json"})

    assert answer.status_code == 202, answer.text


async def test_a_body_in_parts_that_becomes_too_large_is_refused(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65_536

    answer = await api.http.post("commands", content=endless())

    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


async def test_a_body_with_two_ends_is_refused(api: Api) -> None:
    request = api.http.build_request("POST", "commands", content=b"{}")
    request.headers["transfer-encoding"] = "chunked"

    answer = await api.http.send(request)

    assert (answer.status_code, answer.headers["connection"]) == (400, "close")


async def test_a_body_that_does_not_come_is_not_waited_for(api: Api) -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    impatient = httpx.ASGITransport(Answers(Bodies(api.app, pause_s=0.05)))
    async with httpx.AsyncClient(transport=impatient, base_url="http://orion/api/v1/") as client:
        answer = await client.post("commands", content=stuck())

    assert (answer.status_code, answer.json()["code"]) == (408, ErrorCode.TIMEOUT)


async def test_a_body_that_comes_a_byte_at_a_time_has_an_end_too(api: Api) -> None:
    async def slow() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    impatient = httpx.ASGITransport(Answers(Bodies(api.app, within_s=0.1)))
    async with httpx.AsyncClient(transport=impatient, base_url="http://orion/api/v1/") as client:
        assert (await client.post("commands", content=slow())).status_code == 408
