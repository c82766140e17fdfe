"""The stream of a whole controller: what a device does, what a model says piece by piece, and a clean stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from controller.settings import ModelSettings
from tests import fakes
from tests.broker.running import RunningBroker
from tests.controller.api.live.watching import Events, closed, told
from tests.flows.installation import Installation, RunningNode, installation
from tests.flows.people import person

TEXT = "Everything is fine here today"


@asynccontextmanager
async def watching(orion: Installation, **query: Any) -> AsyncIterator[Events]:
    """The administrator, who watches from the first message on."""
    async with orion.http.stream("GET", "stream", params=query) as answer:
        reader = Events(answer)
        await reader.until("ready")
        yield reader


async def test_a_device_that_does_something_is_followed_from_the_sentence_to_the_answer(
    orion: Installation, laptop: RunningNode
) -> None:
    async with watching(orion, types="user_query,tool_execute,tool_result,assistant_response") as reader:
        await orion.ask("make a folder Test on laptop")
        seen = [await reader.next() for _ in range(4)]

    assert [each["type"] for each in seen] == [
        "user_query", "tool_execute", "tool_result", "assistant_response"
    ]  # fmt: skip
    assert seen[2]["data"]["result"]["created"] is True


async def test_what_a_person_asks_by_mqtt_is_told_in_the_same_way(
    orion: Installation, laptop: RunningNode
) -> None:
    async with person(orion) as mia, watching(orion, types="user_query,tool_result") as reader:
        await mia.ask("make a folder Test on laptop")
        query = await reader.next()
        result = await reader.next()

    assert (query["data"]["user"], query["data"]["via"], query["data"]["text"]) == ("mia", "mqtt", None)
    assert result["data"]["requested_by"] == "mia"


async def test_a_model_is_heard_piece_by_piece(broker: RunningBroker, tmp_path: Path) -> None:
    with fakes.ScriptedOllama(fakes.says(TEXT)) as ollama:
        model = ModelSettings(host=ollama.url, name=fakes.MODEL)
        async with (
            installation(broker, tmp_path, model=model) as orion,
            watching(orion, types="llm_response_chunk,assistant_response") as reader,
        ):
            await orion.ask("how is everything?")
            seen = [await reader.next()]
            while seen[-1]["type"] == "llm_response_chunk":
                seen.append(await reader.next())

    assert "".join(each["data"]["text"] for each in seen[:-1]) == TEXT
    assert TEXT in seen[-1]["data"]["text"]


async def test_a_stop_says_goodbye_and_is_held_up_by_nobody(
    broker: RunningBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    opened = asyncio.Event()
    async with installation(broker, tmp_path) as orion:
        url, bearer = (
            orion.http.base_url.join("stream"),
            {"Authorization": orion.http.headers["authorization"]},
        )
        line = await websockets.connect(
            f"ws://{url.netloc.decode()}{url.path}", additional_headers=bearer, proxy=None
        )
        assert (await told(line))["type"] == "ready"
        mute = await websockets.connect(
            f"ws://{url.netloc.decode()}{url.path}", proxy=None
        )  # says not who it is
        reading = asyncio.create_task(_last_of_it(str(url), bearer, opened))
        await opened.wait()

    assert await closed(line) == (1012, "stopping")
    assert (await closed(mute))[0] == 1012
    last = await reading
    assert (last["type"], last["data"]["reason"]) == ("end", "stopping")
    assert "graceful shutdown exceeded" not in caplog.text


async def _last_of_it(url: str, headers: dict[str, str], opened: asyncio.Event) -> dict[str, Any]:
    async with (
        httpx.AsyncClient(headers=headers, timeout=30) as client,
        client.stream("GET", url) as answer,
    ):
        reader = Events(answer)
        await reader.until("ready")
        opened.set()
        return (await reader.rest())[-1]
