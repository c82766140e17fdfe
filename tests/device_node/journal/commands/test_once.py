"""Each command id is new once and started once, also across the lives of the program."""

import asyncio
import sqlite3
import stat

import pytest

from device_node.journal import State, commands
from tests.device_node.journal.commands.entries import asked, finished, received, started
from tests.device_node.journal.lives import Lives


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
