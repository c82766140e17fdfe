"""The journal's file: new, old, newer, damaged, out of reach, on a full disk."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from device_node.journal import Journal, JournalInUse, JournalUnusable, Kind, State
from device_node.journal.database import VERSION
from tests.disks import small_disk

FIRST_RELEASE = """
CREATE TABLE commands (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    reply_to TEXT,
    expires_at REAL NOT NULL,
    reply BLOB,
    acknowledged INTEGER NOT NULL DEFAULT 0
) STRICT
"""


def of_the_first_release(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(FIRST_RELEASE)
        database.executemany(
            "INSERT INTO commands (id, state, reply_to, expires_at, reply, acknowledged) VALUES (?, ?, ?, ?, ?, ?)",
            [
                ("done", "finished", "r", 1.0, b"result", 0),
                ("acked", "finished", "r", 1.0, b"result", 1),
                ("cut", "started", "r", 1.0, None, 0),
                ("stopped", "cancelled", None, 1.0, None, 0),
            ],
        )


def with_commands(path: Path) -> None:
    """A journal of this release, large enough to be cut."""

    async def fill() -> None:
        journal = Journal(path)
        await journal.open()
        for number in range(50):
            await journal.receive(f"{number}", reply_to="r", expires_at=1.0, now=0.0)
            await journal.finish(f"{number}", reply_to="r", reply=b"x" * 2_000)
        await journal.close()

    asyncio.run(fill())
    asyncio.set_event_loop(None)


async def opened(path: Path) -> Journal:
    journal = Journal(path)
    await journal.open()
    return journal


async def trouble_with(path: Path) -> JournalUnusable:
    with pytest.raises(JournalUnusable) as caught:
        await opened(path)
    return caught.value


async def test_file_of_the_first_release_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await asyncio.to_thread(of_the_first_release, path)
    journal = await opened(path)
    assert [one.id for one in await journal.waiting()] == ["done"]
    assert await journal.payloads([(Kind.REPLY, "done")]) == {(Kind.REPLY, "done"): b"result"}
    assert [entry.command_id for entry in await journal.interrupted()] == ["cut"]
    known = await journal.receive("stopped", reply_to="r", expires_at=1.0, now=0.0)
    assert known is not None
    assert known.state is State.CANCELLED
    await journal.close()
    again = await opened(path)  # and is not taken over twice
    assert [one.id for one in await again.waiting()] == ["done"]
    await again.close()


def newer(path: Path) -> None:
    with_commands(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")


def emptied(path: Path) -> None:
    with_commands(path)
    os.truncate(path, 0)


def cut(path: Path) -> None:
    with_commands(path)
    os.truncate(path, path.stat().st_size // 2)


def scribbled_on(path: Path) -> None:
    with_commands(path)
    with path.open("r+b") as file:
        for offset in range(4_096, path.stat().st_size, 4_096):
            file.seek(offset)
            file.write(b"\xff" * 64)


def text_instead(path: Path) -> None:
    path.write_text("no database\n" * 1_000)


def another_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE other (a INTEGER)")


def folder_instead(path: Path) -> None:
    path.mkdir()


def dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere" / "journal.db")


@pytest.mark.parametrize(
    "spoil", [newer, emptied, cut, scribbled_on, text_instead, another_database, folder_instead, dangling]
)
async def test_unusable_file_is_named_with_a_remedy_and_left_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "journal.db"
    await asyncio.to_thread(spoil, path)
    before = await asyncio.to_thread(content, path)
    trouble = await trouble_with(path)
    assert trouble.code == "journal_unusable"
    assert str(path) in str(trouble)
    assert len(trouble.remedy.split()) > 3
    assert await asyncio.to_thread(content, path) == before


async def test_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "node").write_text("a file")
    trouble = await trouble_with(tmp_path / "node" / "journal.db")
    assert trouble.code == "journal_unusable"


async def test_file_in_use_is_not_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_node.journal.database.WAIT_FOR_LOCK", 0.1)
    first = await opened(tmp_path / "journal.db")
    assert isinstance(await trouble_with(tmp_path / "journal.db"), JournalInUse)
    await first.close()
    await (await opened(tmp_path / "journal.db")).close()


async def test_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    async with small_disk(tmp_path / "disk") as disk:
        await (await opened(disk.path / "journal.db")).close()
        await disk.protect()
        trouble = await trouble_with(disk.path / "journal.db")
    assert trouble.code == "journal_unusable"
    assert "right to write" in trouble.remedy


async def test_birth_that_was_cut_off_leaves_nothing_to_mend(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.with_name("journal.db.new").write_bytes(b"half a page")
    journal = await opened(path)
    await journal.close()
    assert await asyncio.to_thread(os.listdir, tmp_path) == ["journal.db"]


async def test_full_disk_is_called_full_and_known_ids_stay_known(tmp_path: Path) -> None:
    async with small_disk(tmp_path / "disk") as disk:
        journal = await opened(disk.path / "journal.db")
        await journal.receive("a", reply_to="r", expires_at=1.0, now=0.0)
        await disk.fill()
        with pytest.raises(JournalUnusable) as caught:
            await until_full(journal)
        assert (caught.value.code, caught.value.readable) == ("disk_full", True)
        known = await journal.receive("a", reply_to="r", expires_at=1.0, now=0.0)
        assert known is not None

        await disk.free()
        assert await journal.receive("c", reply_to="r", expires_at=1.0, now=0.0) is None
        assert journal.trouble is None
        await journal.close()


async def test_what_fits_into_the_file_as_it_is_is_written_on_a_full_disk(tmp_path: Path) -> None:
    async with small_disk(tmp_path / "disk") as disk:
        journal = await opened(disk.path / "journal.db")
        for number in range(40):
            await journal.receive(f"{number}", reply_to="r", expires_at=1.0, now=0.0)
        await disk.fill()
        for _ in range(200):  # far more than the log can hold, and nothing that makes the file grow
            await journal.set_marks({"clock": 1.0})
        assert await asyncio.to_thread(journal.start, "1", changes=True)
        await journal.close()


async def test_journal_that_cannot_be_made_on_a_full_disk_says_so(tmp_path: Path) -> None:
    async with small_disk(tmp_path / "disk") as disk:
        await disk.fill()
        assert (await trouble_with(disk.path / "node" / "journal.db")).code == "disk_full"
        await disk.free()
        await (await opened(disk.path / "node" / "journal.db")).close()


async def until_full(journal: Journal) -> None:
    """The log may have a page left."""
    for number in range(1_000):
        await journal.receive(f"b-{number}", reply_to="r" * 1_000, expires_at=1.0, now=0.0)


def content(path: Path) -> object:
    if not path.is_file():
        return path.is_symlink(), path.is_dir()
    return path.read_bytes()
