"""A command is watched over HTTP: a line now and one per change, until nothing moves any more."""

import asyncio
import json
from typing import Any

import pytest

from controller.services import settling
from schemas.commands import ReplyStatus
from tests.controller.api.conftest import Api
from tests.factories import NOON, a_reply

CREATE = {"device_id": "laptop", "tool": "create_directory", "arguments": {"path": "Test"}}


async def submitted(api: Api) -> str:
    command_id: str = (await api.http.post("commands", json=CREATE)).json()["command_id"]
    return command_id


async def watched(api: Api, command_id: str, within_s: float) -> list[dict[str, Any]]:
    answer = await api.http.get(f"commands/{command_id}/watch", params={"within_s": within_s})
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


async def replied(api: Api, command_id: str, **reply: Any) -> None:
    await api.store.write(
        lambda session: settling.settle(session, "laptop", a_reply(command_id, **reply), now=NOON)
    )


async def test_each_change_is_a_line_and_the_end_is_the_last(api: Api, laptop: str) -> None:
    command_id = await submitted(api)
    watching = asyncio.create_task(watched(api, command_id, within_s=20))

    await replied(api, command_id, status=ReplyStatus.PROGRESS, progress=0.5)
    await replied(api, command_id, result={"created": True, "undo": True})

    lines = await watching
    assert {line["command_id"] for line in lines} == {command_id}
    assert (lines[-1]["status"], lines[-1]["undoable"]) == ("succeeded", True)
    assert all(line["undoable"] is None for line in lines[:-1])


async def test_what_has_ended_is_one_line(api: Api, laptop: str) -> None:
    command_id = await submitted(api)
    await replied(api, command_id)

    [line] = await watched(api, command_id, within_s=20)

    assert (line["status"], line["undoable"]) == ("succeeded", False)


async def test_a_watch_ends_when_its_time_is_up(api: Api, laptop: str) -> None:
    [line] = await watched(api, await submitted(api), within_s=0.01)

    assert line["status"] == "queued"


@pytest.mark.parametrize(("path", "status"), [("nothing/watch", 404), ("x/watch?within_s=9999", 422)])
async def test_what_cannot_be_watched_is_refused_before_the_first_line(
    api: Api, path: str, status: int
) -> None:
    assert (await api.http.get(f"commands/{path}")).status_code == status
