"""Final replies: one for each command, written before it is said, and able to travel."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from device_node.journal import Journal, Kind
from device_node.replies import Replies
from device_node.spool import Spool
from schemas.commands import ReplyStatus
from schemas.errors import ErrorBody

Sent = tuple[Replies, list[dict[str, Any]]]


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """A journal in which the command `a` was received."""
    made = Journal(tmp_path / "journal.db")
    await made.open()
    await made.receive("a", reply_to="r", expires_at=0.0, now=0.0)
    yield made
    await made.close()


@pytest.fixture
async def sent(journal: Journal) -> Sent:
    """Replies, and what they sent."""
    messages: list[dict[str, Any]] = []

    def send(_topic: str, payload: bytes) -> asyncio.Future[int]:
        messages.append(json.loads(payload))
        return asyncio.get_running_loop().create_future()

    spool = Spool(journal)
    await spool.begin(send)
    return Replies("boot", journal, spool, send), messages


async def test_reply_beyond_the_wire_limit_becomes_an_error_with_its_size(sent: Sent) -> None:
    replies, messages = sent
    await replies.final("a", "r", ReplyStatus.SUCCEEDED, result={"text": "x" * 300_000})
    (message,) = messages
    assert (message["status"], message["error"]["code"]) == ("failed", "payload_too_large")
    assert message["error"]["detail"]["size"] > 300_000


@pytest.mark.parametrize("result", [{"a": object()}, {"a": float("nan")}, {"a": "\ud800"}, {"a": b"\xff"}])
async def test_result_that_is_no_json_becomes_an_error(sent: Sent, result: dict[str, Any]) -> None:
    replies, messages = sent
    await replies.final("a", "r", ReplyStatus.SUCCEEDED, result=result)
    (message,) = messages
    assert (message["status"], message["error"]["code"]) == ("failed", "internal")


async def test_progress_stays_between_none_and_all(sent: Sent) -> None:
    replies, messages = sent
    for fraction in (-1.0, 0.5, 7.0):
        replies.progress("a", "r", fraction)
    assert [message["progress"] for message in messages] == [0.0, 0.5, 1.0]


async def test_second_final_reply_is_the_first_again(sent: Sent) -> None:
    replies, messages = sent
    await replies.final("a", "r", ReplyStatus.SUCCEEDED, result={"n": 1})
    await replies.final(
        "a", "r", ReplyStatus.INTERRUPTED, error=ErrorBody(code="interrupted", message="No one knows.")
    )
    first, second = messages
    assert first == second
    assert first["status"] == "succeeded"


@pytest.mark.looptime
async def test_reply_that_cannot_be_written_is_kept_back_until_it_can(journal: Journal, sent: Sent) -> None:
    replies, messages = sent
    await journal.close()  # as a disk that went away
    settling = asyncio.create_task(replies.final("a", "r", ReplyStatus.SUCCEEDED, result={}))
    await asyncio.sleep(120)
    assert messages == []

    await journal.open()
    await settling
    assert [message["status"] for message in messages] == ["succeeded"]
    await journal.close()
    assert await asyncio.to_thread(_spooled, journal.path) == [(Kind.REPLY, "a")]


def _spooled(path: Path) -> list[tuple[str, str]]:
    database = sqlite3.connect(path)
    try:
        return list(database.execute("SELECT kind, id FROM spool"))
    finally:
        database.close()
