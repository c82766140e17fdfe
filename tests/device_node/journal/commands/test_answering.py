"""A final reply stands, waits for its ack, and is known after it."""

from pathlib import Path

import pytest

from device_node.journal import Answer, JournalFull, Kind, Limits, Spooled, State
from tests.device_node.journal.commands.entries import a_reply, asked, finished, received
from tests.device_node.journal.lives import Lives


async def test_final_reply_waits_for_its_ack_and_is_known_after_it(lives: Lives) -> None:
    for command_id in ("a", "b", "c"):
        await received(lives.journal, command_id)
        await finished(lives.journal, command_id, command_id.encode())
    await lives.journal.acknowledge(replies=["b", "unknown"], events=["a"])

    assert [one.id for one in await lives.journal.waiting()] == ["a", "c"]
    assert await lives.journal.payloads([(Kind.REPLY, "a"), (Kind.REPLY, "b")]) == {(Kind.REPLY, "a"): b"a"}
    known = await asked(lives.journal, "b")
    assert known is not None
    assert known.reply == b"b"


async def test_second_final_reply_never_takes_the_place_of_the_first(lives: Lives) -> None:
    await received(lives.journal, "a")
    assert await finished(lives.journal, "a", b"first") is None
    earlier = await finished(lives.journal, "a", b"second")
    assert earlier is not None
    assert earlier.reply == b"first"
    assert await lives.journal.payloads([(Kind.REPLY, "a")]) == {(Kind.REPLY, "a"): b"first"}


async def test_ack_that_comes_before_its_reply_means_nothing(tmp_path: Path) -> None:
    lives = Lives(tmp_path, Limits(command_bytes=3_000))
    await lives.begin()
    await received(lives.journal, "a")
    await lives.journal.acknowledge(replies=["a"], events=[])
    await finished(lives.journal, "a", a_reply("a", size=4_000))
    with pytest.raises(JournalFull):
        await received(lives.journal, "b")
    assert await lives.journal.payloads([(Kind.REPLY, "a")]) == {(Kind.REPLY, "a"): a_reply("a", size=4_000)}
    await lives.end()


async def test_answer_given_without_the_journal_stands(lives: Lives) -> None:
    await received(lives.journal, "a")
    await finished(lives.journal, "a", b"never told")
    await lives.journal.settle([Answer("a", "r", 1.0, b"told"), Answer("b", "r", 1.0, b"told")])

    for command_id in ("a", "b"):
        known = await asked(lives.journal, command_id)
        assert known is not None
        assert (known.state, known.reply) == (State.FINISHED, b"told")
    assert await lives.journal.waiting() == []


async def test_answer_given_without_the_journal_waits_for_its_ack_if_that_is_owed(lives: Lives) -> None:
    await lives.journal.settle([Answer("a", "r", 1.0, b"told"), Answer("b", "r", 1.0, b"told")], owed={"b"})

    await lives.crash()
    assert await lives.journal.waiting() == [Spooled(Kind.REPLY, "b", "r")]
    assert await lives.journal.payloads([(Kind.REPLY, "b")]) == {(Kind.REPLY, "b"): b"told"}
