"""One thread that writes: calls that wait together share one transaction.

A unit of work that fails is rolled back alone. Whoever waits hears of the outcome after the
COMMIT, never before. A unit may be run twice, of which only the second counts: it
changes nothing but the database.
"""

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from device_node.journal import errors
from device_node.journal.errors import JournalUnusable

MAX_BATCH = 256  # units in one transaction
IDLE = 0.5  # seconds without work, after which the log is emptied while nobody waits for it

T = TypeVar("T")
Unit = Callable[[sqlite3.Connection], T]


class _TransactionLost(Exception):
    """SQLite gave up the whole transaction in the middle of it."""


@dataclass(slots=True)
class _Task:
    unit: Unit[Any]
    flushed: bool
    writes: bool
    done: Future[Any] = field(default_factory=Future)
    value: Any = None
    error: Exception | None = None


class Writer:
    """Has the connection alone, from its start until `close`."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self._path = path
        self._queue: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._gate = threading.Lock()  # nothing is put behind the end
        self._ended = False
        self._logged = False  # since the last time that the log was emptied
        self._level = "NORMAL"
        self._thread = threading.Thread(target=self._work, name="journal-writer", daemon=True)
        self._thread.start()

    def submit(self, unit: Unit[T], *, flushed: bool = False, writes: bool = True) -> Future[T]:
        """Have it run in the next transaction. With `flushed` the disk has it when this is done.

        The future fails with what the unit raised, or with `JournalUnusable`. Giving up
        waiting does not stop the unit.
        """
        task = _Task(unit, flushed, writes)
        task.done.set_running_or_notify_cancel()
        with self._gate:
            if not self._ended:
                self._queue.put(task)
                return task.done
        task.done.set_exception(errors.closed(self._path))
        return task.done

    def close(self) -> None:
        """Do what was given, then let go of the file. Blocks."""
        with self._gate:
            self._ended = True
            self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._next()) is not None:
            batch = [first]
            ending = False
            while len(batch) < MAX_BATCH and not self._queue.empty():
                if (task := self._queue.get()) is None:
                    ending = True
                    break
                batch.append(task)
            self._settle(batch)
            if ending:
                break
        self._database.close()

    def _next(self) -> _Task | None:
        """The next task. A log that grew is emptied in a pause, so that no command has to wait for that."""
        if self._logged:
            try:
                return self._queue.get(timeout=IDLE)
            except queue.Empty:
                self._logged = False
                self._empty_log()
        return self._queue.get()

    def _settle(self, batch: list[_Task]) -> None:
        if not self._attempt(batch) and len(batch) > 1:
            for task in batch:  # one of them does not fit: the others must not suffer for it
                self._attempt([task])
        for task in batch:
            if _found_no_room(task.error):  # the log can be written from its beginning again once it is empty
                self._empty_log()
                self._attempt([task])
            if task.error is None:
                task.done.set_result(task.value)
            elif isinstance(task.error, sqlite3.Error):
                task.done.set_exception(self._translated(task.error))
            else:
                task.done.set_exception(task.error)

    def _attempt(self, batch: list[_Task]) -> bool:
        """One transaction; False when all of it failed."""
        try:
            self._commit(batch)
        except (sqlite3.Error, _TransactionLost) as error:
            for task in batch:
                task.error = _cause(error)
            return False
        return True

    def _empty_log(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # without room a later time will do
            self._database.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _commit(self, batch: list[_Task]) -> None:
        database = self._database
        writes = any(task.writes for task in batch)
        if writes:
            # the level holds for a whole transaction and cannot be changed within it
            self._flush_at("FULL" if any(task.flushed for task in batch) else "NORMAL")
            database.execute("BEGIN IMMEDIATE")
        try:
            for task in batch:
                self._run(task, writes=writes)
            if writes:
                database.execute("COMMIT")
                self._logged = True
        except (sqlite3.Error, _TransactionLost):
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    def _run(self, task: _Task, *, writes: bool) -> None:
        database = self._database
        task.value, task.error = None, None
        if writes:
            database.execute("SAVEPOINT unit")
        try:
            task.value = task.unit(database)
        except Exception as error:  # handed to whoever waits for this unit; the others of the batch go on
            task.error = error
            if writes and not database.in_transaction:
                raise _TransactionLost from error
            if writes:
                database.execute("ROLLBACK TO unit")
        if writes:
            database.execute("RELEASE unit")

    def _flush_at(self, level: str) -> None:
        if level != self._level:
            self._database.execute(f"PRAGMA synchronous = {level}")
            self._level = level

    def _translated(self, error: sqlite3.Error) -> JournalUnusable:
        made = errors.unusable(self._path, error)
        made.__cause__ = error
        return made


def _found_no_room(error: Exception | None) -> bool:
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL


def _cause(error: Exception) -> Exception:
    cause = error.__cause__ if isinstance(error, _TransactionLost) else None
    return cause if isinstance(cause, Exception) else error
