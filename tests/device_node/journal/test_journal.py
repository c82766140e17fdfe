"""Each command id once, also across the lives of the program."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from device_node.journal import (
    Answer,
    Entry,
    Journal,
    JournalFull,
    Kind,
    Limits,
    Spooled,
    State,
    commands,
)
from device_node.journal.commands import KEEP
from schemas.commands import Reply, ReplyStatus
from tests.device_node.journal.lives import Lives


@pytest.fixture
async def lives(tmp_path: Path) -> AsyncIterator[Lives]:
    made = Lives(tmp_path)
    await made.begin()
    yield made
    await made.end()


async def received(
    journal: Journal,
    command_id: str,
    *,
    expires_at: float = 0.0,
    now: float = 0.0,
    command: bytes | None = None,
) -> bool:
    return await asked(journal, command_id, expires_at=expires_at, now=now, command=command) is None


async def asked(
    journal: Journal,
    command_id: str,
    *,
    expires_at: float = 0.0,
    now: float = 0.0,
    command: bytes | None = None,
) -> Entry | None:
    return await journal.receive(command_id, reply_to="r", expires_at=expires_at, now=now, command=command)


async def started(journal: Journal, command_id: str, *, again: bool = False) -> bool:
    return await asyncio.to_thread(journal.start, command_id, changes=True, again=again)


async def finished(journal: Journal, command_id: str, reply: bytes = b"x") -> Entry | None:
    return await journal.finish(command_id, reply_to="r", reply=reply)


def a_reply(command_id: str, size: int = 2_000) -> bytes:
    reply = {
        "command_id": command_id,
        "status": "succeeded",
        "at": "2026-02-12T10:30:05.120Z",
        "boot_id": "b",
        "result": {"text": "x" * size},
    }
    return Reply.model_validate(reply).encode()


async def test_id_is_new_once(lives: Lives) -> None:
    assert await received(lives.journal, "a")
    known = await lives.journal.receive("a", reply_to="other", expires_at=1.0, now=0.0)
    assert known is not None
    assert (known.state, known.reply_to) == (State.RECEIVED, "r")


async def test_id_is_new_once_however_many_ask_at_once(lives: Lives) -> None:
    answers = await asyncio.gather(*(received(lives.journal, "a") for _ in range(64)))
    assert sum(answers) == 1


async def test_start_is_granted_once(lives: Lives) -> None:
    await received(lives.journal, "a")
    answers = await asyncio.gather(*(started(lives.journal, "a") for _ in range(8)))
    assert sum(answers) == 1


@pytest.mark.parametrize(("changes", "level"), [(True, 2), (False, 1)])
async def test_start_of_what_changes_something_is_flushed_to_the_disk(
    lives: Lives, monkeypatch: pytest.MonkeyPatch, *, changes: bool, level: int
) -> None:
    levels: list[int] = []
    start = commands.start

    def watched(database: sqlite3.Connection, command_id: str, *, again: bool) -> bool:
        levels.append(database.execute("PRAGMA synchronous").fetchone()[0])  # 1 is NORMAL, 2 is FULL
        return start(database, command_id, again=again)

    monkeypatch.setattr(commands, "start", watched)
    await received(lives.journal, "a")
    assert await asyncio.to_thread(lives.journal.start, "a", changes=changes)
    assert levels == [level]


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


async def test_what_had_started_is_interrupted_and_what_had_not_is_not(lives: Lives) -> None:
    await received(lives.journal, "waiting")
    await received(lives.journal, "running")
    await started(lives.journal, "running")
    await received(lives.journal, "done")
    await started(lives.journal, "done")
    await finished(lives.journal, "done")
    await lives.crash()

    assert [entry.command_id for entry in await lives.journal.interrupted()] == ["running"]
    assert not await started(lives.journal, "running")
    assert [one.id for one in await lives.journal.waiting()] == ["done"]
    known = await asked(lives.journal, "waiting")
    assert known is not None
    assert known.state is State.RECEIVED  # nothing has begun, so it may run when it comes again
    assert await started(lives.journal, "waiting")


async def test_order_is_kept_for_a_second_start_until_it_ends_or_is_cancelled(lives: Lives) -> None:
    for command_id in ("resumed", "done", "cancelled"):
        await received(lives.journal, command_id, command=b"order")
        await started(lives.journal, command_id)
    await finished(lives.journal, "done")
    await lives.journal.cancel("cancelled", expires_at=1.0)
    await lives.crash()

    entries = {entry.command_id: entry for entry in await lives.journal.interrupted()}
    assert {one: (entry.command, entry.runs) for one, entry in entries.items()} == {
        "resumed": (b"order", 1),
        "cancelled": (None, 1),
    }
    assert await started(lives.journal, "resumed", again=True)
    await lives.crash()
    assert {entry.command_id: entry.runs for entry in await lives.journal.interrupted()}["resumed"] == 2


async def test_cancel_that_overtakes_is_remembered(lives: Lives) -> None:
    assert await lives.journal.cancel("a", expires_at=1.0) is None
    await lives.crash()
    known = await asked(lives.journal, "a")
    assert known is not None
    assert known.state is State.CANCELLED
    assert not await started(lives.journal, "a")


async def test_cancel_of_what_waits_holds_after_a_crash(lives: Lives) -> None:
    await received(lives.journal, "a")
    known = await lives.journal.cancel("a", expires_at=1.0)
    assert known is not None
    assert known.state is State.RECEIVED
    assert not await started(lives.journal, "a")
    await lives.crash()
    assert not await started(lives.journal, "a")
    known = await asked(lives.journal, "a")
    assert known is not None
    assert known.state is State.CANCELLED


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


async def test_marks_are_kept(lives: Lives) -> None:
    assert await lives.journal.mark("clock") is None
    await lives.journal.set_marks({"clock": 1.5, "offset": -86_400.25})
    await lives.journal.set_marks({"clock": 2.5})
    await lives.crash()
    assert (await lives.journal.mark("clock"), await lives.journal.mark("offset")) == (2.5, -86_400.25)


async def test_journal_is_private(lives: Lives) -> None:
    def modes() -> list[int]:
        return [stat.S_IMODE(one.stat().st_mode) for one in (lives.path, lives.path.parent)]

    assert await asyncio.to_thread(modes) == [0o600, 0o700]
