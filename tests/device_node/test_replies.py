"""Replies that could not travel as they are."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from device_node.journal import Journal
from device_node.replies import Replies
from device_node.spool import Spool
from schemas.commands import ReplyStatus


@pytest.fixture
async def sent(tmp_path: Path) -> AsyncIterator[tuple[Replies, list[dict[str, Any]]]]:
    """Replies of a command that was received, and what they sent."""
    journal = await asyncio.to_thread(Journal, tmp_path / "journal.db")
    await asyncio.to_thread(journal.receive, "a", reply_to="r", expires_at=0.0)
    messages: list[dict[str, Any]] = []

    def send(_topic: str, payload: bytes) -> None:
        messages.append(json.loads(payload))

    yield Replies("boot", journal, Spool(10), send), messages
    await asyncio.to_thread(journal.close)


Sent = tuple[Replies, list[dict[str, Any]]]


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


async def test_journal_that_fails_does_not_swallow_the_reply(tmp_path: Path) -> None:
    journal = await asyncio.to_thread(Journal, tmp_path / "journal.db")
    await asyncio.to_thread(journal.close)  # as a disk that went away
    spool = Spool(10)
    replies = Replies("boot", journal, spool, lambda _topic, _payload: None)
    await replies.final("a", "r", ReplyStatus.SUCCEEDED, result={})
    (entry,) = spool.pending()
    assert json.loads(entry.payload)["status"] == "succeeded"
