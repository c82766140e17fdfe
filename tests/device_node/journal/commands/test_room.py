"""What is old makes room, and where there is none nothing new is taken."""

from pathlib import Path

import pytest

from device_node.journal import Answer, JournalFull, Limits
from device_node.journal.commands import KEEP
from schemas.commands import Reply, ReplyStatus
from tests.device_node.journal.commands.entries import a_reply, asked, finished, received, started
from tests.device_node.journal.lives import Lives


async def test_ids_are_forgotten_a_day_after_their_expiry(lives: Lives) -> None:
    for command_id, expires_at in (("old", 100.0), ("young", 5_000.0), ("unacknowledged", 100.0)):
        await received(lives.journal, command_id, expires_at=expires_at)
        await finished(lives.journal, command_id)
    await lives.journal.acknowledge(replies=["old", "young"], events=[])
    await received(lives.journal, "running", expires_at=100.0)
    await started(lives.journal, "running")

    assert await lives.journal.forget(now=KEEP + 1_000.0) == 1
    assert await received(lives.journal, "old")
    for command_id in ("young", "unacknowledged", "running"):
        assert not await received(lives.journal, command_id)


async def test_full_journal_takes_no_new_id_but_knows_the_old(tmp_path: Path) -> None:
    lives = Lives(tmp_path, Limits(commands=3))
    await lives.begin()
    for command_id in ("a", "b", "c"):
        await received(lives.journal, command_id, expires_at=10.0)
    with pytest.raises(JournalFull):
        await received(lives.journal, "d", expires_at=10.0)
    assert not await received(lives.journal, "a")
    assert await received(lives.journal, "e", now=11.0 + KEEP)  # the others are out of date by now
    await lives.end()


async def test_old_results_make_room_and_their_statuses_stay(tmp_path: Path) -> None:
    lives = Lives(tmp_path, Limits(command_bytes=6_000))
    await lives.begin()
    for command_id in ("a", "b", "c"):
        await received(lives.journal, command_id, expires_at=10.0)
        await finished(lives.journal, command_id, a_reply(command_id))
    with pytest.raises(JournalFull):  # nothing of it was acknowledged
        await received(lives.journal, "d", expires_at=10.0)
    await lives.journal.acknowledge(replies=["a"], events=[])
    assert await received(lives.journal, "d", expires_at=10.0)

    known = await asked(lives.journal, "a")
    assert known is not None
    assert known.reply is not None
    brief = Reply.decode(known.reply)
    assert (brief.status, brief.result) == (ReplyStatus.SUCCEEDED, None)
    assert brief.message is not None
    assert "no longer" in brief.message
    known = await asked(lives.journal, "b")
    assert known is not None
    assert known.reply == a_reply("b")
    await lives.end()


async def test_too_many_results_without_an_ack_stop_new_commands(tmp_path: Path) -> None:
    lives = Lives(tmp_path, Limits(spooled=3))
    await lives.begin()
    for command_id in ("a", "b"):
        await received(lives.journal, command_id)
        await finished(lives.journal, command_id)
    await received(lives.journal, "c")  # will bring the third
    with pytest.raises(JournalFull):
        await received(lives.journal, "d")
    await finished(lives.journal, "c")
    with pytest.raises(JournalFull):
        await received(lives.journal, "d")
    await lives.journal.acknowledge(replies=["a"], events=[])
    assert await received(lives.journal, "d")
    await lives.end()


async def test_answers_that_are_owed_find_no_room_beside_too_many_that_wait(tmp_path: Path) -> None:
    lives = Lives(tmp_path, Limits(spooled=1))
    await lives.begin()
    answers = [Answer("a", "r", 1.0, b"told"), Answer("b", "r", 1.0, b"told")]
    with pytest.raises(JournalFull):
        await lives.journal.settle(answers, owed={"a", "b"})
    assert await asked(lives.journal, "a") is None
    await lives.journal.settle(answers, owed={"a"})
    assert len(await lives.journal.waiting()) == 1
    await lives.end()
