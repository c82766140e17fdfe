"""One writer: what waits together is written together, and a unit that fails fails alone."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

from device_node.journal import JournalUnusable
from device_node.journal.writer import MAX_BATCH, Unit, Writer


class Held:
    """A writer that is busy with a first unit until it is let go."""

    def __init__(self, path: Path) -> None:
        self.statements: list[str] = []
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("CREATE TABLE words (word TEXT NOT NULL UNIQUE)")
        database.set_trace_callback(self.statements.append)
        self.writer = Writer(database, path)
        self._go = threading.Event()
        self._busy = threading.Event()
        self.writer.submit(self._wait, writes=False)
        assert self._busy.wait(10)

    def go(self) -> None:
        self._go.set()

    def _wait(self, _database: sqlite3.Connection) -> None:
        self._busy.set()
        self._go.wait(10)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    made = Held(tmp_path / "words.db")
    yield made
    made.go()
    made.writer.close()


def add(word: str | None) -> Unit[int | None]:
    return lambda database: database.execute("INSERT INTO words VALUES (?)", (word,)).lastrowid


def words(database: sqlite3.Connection) -> list[str]:
    return [word for (word,) in database.execute("SELECT word FROM words ORDER BY word")]


def level(database: sqlite3.Connection) -> int:
    """What SQLite itself says is in force for the transaction that runs this."""
    return int(database.execute("PRAGMA synchronous").fetchone()[0])


NORMAL, FULL = 1, 2


def test_what_waits_together_is_one_transaction(held: Held) -> None:
    futures = [held.writer.submit(add(f"{number}")) for number in range(50)]
    held.go()
    wait(futures)
    assert held.statements.count("COMMIT") == 1
    assert len(held.writer.submit(words, writes=False).result()) == 50


def test_batch_has_a_limit(held: Held) -> None:
    futures = [held.writer.submit(add(f"{number}")) for number in range(MAX_BATCH + 1)]
    held.go()
    wait(futures)
    assert held.statements.count("COMMIT") == 2


def test_unit_that_fails_takes_no_other_with_it(held: Held) -> None:
    def half(database: sqlite3.Connection) -> None:
        database.execute("INSERT INTO words VALUES ('half')")
        raise ValueError("no more")

    good, bad, worse, last = (held.writer.submit(unit) for unit in (add("a"), half, add(None), add("b")))
    held.go()
    with pytest.raises(ValueError, match="no more"):
        bad.result()
    with pytest.raises(JournalUnusable):
        worse.result()
    assert good.result() is not None
    assert last.result() is not None
    assert held.writer.submit(words, writes=False).result() == ["a", "b"]


def test_unit_that_ends_the_transaction_takes_no_other_with_it(held: Held) -> None:
    def rude(database: sqlite3.Connection) -> None:  # as SQLite does by itself when a disk is full
        database.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    good, bad, last = (held.writer.submit(unit) for unit in (add("a"), rude, add("b")))
    held.go()
    with pytest.raises(JournalUnusable):
        bad.result()
    wait([good, last])
    assert held.writer.submit(words, writes=False).result() == ["a", "b"]


def test_batch_is_flushed_in_full_when_one_of_it_asks_for_that(held: Held) -> None:
    plain = held.writer.submit(level)
    changing = held.writer.submit(level, flushed=True)
    held.go()
    assert (plain.result(), changing.result()) == (FULL, FULL)
    assert held.writer.submit(level).result() == NORMAL
    assert held.writer.submit(level, flushed=True).result() == FULL


def test_look_alone_begins_no_transaction(held: Held) -> None:
    looks = [held.writer.submit(words, writes=False) for _ in range(3)]
    held.go()
    wait(looks)
    assert "BEGIN IMMEDIATE" not in held.statements


def test_log_is_emptied_in_a_pause(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_node.journal.writer.IDLE", 0.01)
    held.go()
    held.writer.submit(add("a")).result()
    patience = time.monotonic() + 10
    while "PRAGMA wal_checkpoint(PASSIVE)" not in held.statements:
        assert time.monotonic() < patience
        time.sleep(0.005)
    held.writer.submit(words, writes=False).result()  # and a look is nothing to empty it for
    assert held.statements.count("PRAGMA wal_checkpoint(PASSIVE)") == 1


def test_what_was_given_is_done_before_the_end(tmp_path: Path) -> None:
    held = Held(tmp_path / "words.db")
    futures = [held.writer.submit(add(f"{number}")) for number in range(600)]
    held.go()
    held.writer.close()
    assert all(future.done() for future in futures)
    assert len({future.result() for future in futures}) == 600


def test_what_comes_after_the_end_fails(tmp_path: Path) -> None:
    held = Held(tmp_path / "words.db")
    held.go()
    held.writer.close()
    with pytest.raises(JournalUnusable):
        held.writer.submit(add("late")).result(timeout=5)
