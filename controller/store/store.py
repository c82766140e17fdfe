"""One writer thread with group commit, a few readers beside it.

A unit of work that raises rolls back alone (SAVEPOINT, where it has company); the rest of
its batch commits. Whoever waits is woken after the COMMIT, never before.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import TypeVar, cast

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError, StatementError
from sqlmodel import Session

from controller.errors import OrionError
from controller.store import engine as engines
from controller.store import migrate, notices, server
from controller.store.checkpoints import Checkpoints
from controller.store.house import HouseRules
from schemas.errors import ErrorCode

__all__ = [
    "HouseRules",
    "Session",
    "Store",
    "StoreAway",
    "StoreBusy",
    "StoreFailed",
    "StoreRefused",
]  # doors name the session, never sqlmodel

logger = logging.getLogger(__name__)

MAX_QUEUED = 10_000  # units that wait for the writer; beyond that the caller is told
MAX_BATCH = 256  # units in one transaction
READERS = 4  # threads
_FULL = "disk is full"  # SQLite's words

T = TypeVar("T")


class StoreBusy(OrionError):
    """More work waits for the writer than can be done in a reasonable time."""

    code = ErrorCode.BUSY


class StoreFailed(OrionError):
    """The database did not take a transaction: disk full, locked, or gone. `said`: that alone, as a sentence."""

    def __init__(self, said: str) -> None:
        remedy = " Make room on the controller's disk, and try again." if _FULL in said else ""
        super().__init__(said + remedy)
        self.said = said


class StoreAway(StoreFailed):
    """The database's server does not answer; it may later."""


class StoreRefused(OrionError):
    """The database will never take this change: its content does not fit."""

    code = ErrorCode.INVALID_ARGUMENTS


class _TransactionLost(Exception):
    """The database gave up the whole transaction in the middle of it."""


class _Undone(Exception):
    """The only unit of a transaction failed, and the transaction with it."""


@dataclass(slots=True)
class _Unit:
    work: Callable[[Session], object]
    done: Future[object] = field(default_factory=Future)
    outcome: object = None
    error: Exception | None = None


class Store:
    """The database of one controller. `open` migrates it; `close` waits for the writer."""

    def __init__(self, url: str, rules: HouseRules | None = None) -> None:
        self.url = url
        self._rules = rules or HouseRules()
        self._writer = engines.writer(url)
        self._reader = engines.reader(url)
        self._checkpoints = Checkpoints(self._reader)
        self._queue: queue.Queue[_Unit | None] = queue.Queue(MAX_QUEUED)
        self._thread = threading.Thread(target=self._write_for_ever, name="store-writer", daemon=True)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._listener: Callable[[list[notices.Notice]], None] | None = None
        self._closed = False

    def open(self) -> None:
        """Bring the schema up to date and start the writer. Blocks; call it off the event loop.

        Raises:
            StoreAway: the server does not answer; this may be called again.
        """
        try:
            migrate.prepare(self._writer)
        except OperationalError as error:
            if not server.is_away(self._writer.url, error):
                raise
            raise StoreAway(f"The database does not answer: {_cause(error)}.") from error
        self._thread.start()

    def listen(self, listener: Callable[[list[notices.Notice]], None]) -> None:
        """Call `listener` on this event loop with what each committed transaction announced."""
        loop = asyncio.get_running_loop()
        self._listener = lambda heard: _call_on(loop, listener, heard)

    def close(self) -> None:
        """Finish what waits, then close every connection. Blocks."""
        self._closed = True
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        self._checkpoints.close()
        self._readers.shutdown()
        self._reader.dispose()
        with suppress(DBAPIError, sqlite3.Error):  # the next stop or SQLite itself does it
            engines.empty_log(self._writer)
        self._writer.dispose()

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run one unit in the writer's next transaction and return after its COMMIT."""
        outcome = (await self.write_all([work]))[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def write_soon(self, work: Callable[[Session], object]) -> None:
        """Note something whose loss would be repaired: nobody waits, a failure is logged."""
        unit = _Unit(work)
        unit.done.add_done_callback(_log_failure)
        try:
            self._check_open()
            self._queue.put_nowait(unit)
        except StoreFailed as error:
            logger.warning("A note could not be stored: %s", error)
        except queue.Full:
            logger.warning("The database cannot keep up; a note was dropped")

    async def write_all(self, works: Sequence[Callable[[Session], T]]) -> list[T | Exception]:
        """Run units in order, in one transaction where they fit; an exception stands for its unit.

        Raises:
            StoreBusy: they do not all fit into the writer's queue; none of them is run.
            StoreFailed: the store is closed.
        """
        units = [_Unit(work) for work in works]
        self._check_open()
        # one event loop puts and the writer only takes: the room that is seen stays
        if self._queue.qsize() + len(units) > MAX_QUEUED:
            raise StoreBusy("The database cannot keep up; try again in a moment.")
        for unit in units:
            self._queue.put_nowait(unit)
        outcomes = await asyncio.gather(
            *(asyncio.wrap_future(unit.done) for unit in units), return_exceptions=True
        )
        return [_outcome(outcome) for outcome in outcomes]

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run a query beside the writer; it sees what is committed.

        Raises:
            StoreFailed: the database cannot be read now, or the store is closed.
        """
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._look, work)

    async def write_through(self) -> None:
        """Return once what is committed is on the disk and outlives a power cut too.

        Raises:
            StoreFailed: it cannot be brought there now, or the store is closed.
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._readers, engines.write_through, self._writer)
        except (DBAPIError, sqlite3.Error) as error:
            raise StoreFailed(
                f"The database could not be brought to the disk now: {_cause(error)}."
            ) from error

    def _look(self, work: Callable[[Session], T]) -> T:
        try:
            with self._session(self._reader) as session:
                return work(session)
        except DBAPIError as error:
            if not engines.will_pass(error):
                raise
            logger.warning("A query failed in the database: %s", _cause(error))
            raise StoreFailed(f"The database could not be read now: {_cause(error)}.") from error

    def _session(self, engine: Engine) -> Session:
        return Session(engine, expire_on_commit=False, info=self._rules.known_in())

    def _check_open(self) -> None:
        if self._closed:
            raise StoreFailed("The database is closed.")

    def _write_for_ever(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = self._gather(first)
            self._commit(batch)
            if last:
                return

    def _gather(self, first: _Unit) -> tuple[list[_Unit], bool]:
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                unit = self._queue.get_nowait()
            except queue.Empty:
                break
            if unit is None:
                return batch, True
            batch.append(unit)
        return batch, False

    def _commit(self, batch: list[_Unit]) -> None:
        # who was cancelled while waiting gets nothing done; from here on a caller cannot take it back
        wanted = [unit for unit in batch if unit.done.set_running_or_notify_cancel()]
        heard: list[notices.Notice] = []
        try:
            with self._session(self._writer) as session, session.begin():
                before = engines.rows_changed(session.connection())
                for unit in wanted:
                    _run(session, unit, alone=len(wanted) == 1)
                    _check_transaction(session)
                heard = notices.taken(session)
                changed = engines.rows_changed(session.connection()) - before
            self._checkpoints.count(changed)
        except _Undone:
            heard = []
        except (SQLAlchemyError, _TransactionLost) as error:
            if isinstance(error, _TransactionLost) or (
                isinstance(error, DBAPIError) and engines.will_pass(error)
            ):
                logger.warning("A transaction of %d units failed: %s", len(wanted), _cause(error))
            else:  # the code's fault
                logger.exception("A transaction of %d units failed", len(wanted))
            failure = StoreFailed(f"The database refused the transaction: {_cause(error)}.")
            heard = []
            for unit in wanted:
                unit.error = unit.error or failure
        if heard and self._listener is not None:
            self._listener(heard)  # before the waiters below: who is woken finds the news delivered
        for unit in wanted:
            if unit.error is not None:
                unit.done.set_exception(unit.error)
            else:
                unit.done.set_result(unit.outcome)


def _run(session: Session, unit: _Unit, *, alone: bool) -> None:
    before = len(notices.of(session))
    try:
        with nullcontext() if alone else session.begin_nested():  # alone, the transaction is its own
            unit.outcome = unit.work(session)
            session.flush()
    except StatementError as error:
        if isinstance(error, DBAPIError) and engines.will_pass(error):
            unit.error = StoreFailed(f"The database could not take the change now: {_cause(error)}.")
        else:
            unit.error = StoreRefused(f"The database refused the change: {type(error).__name__}.")
        logger.warning("A unit of work failed in the database: %s", type(error).__name__)
    except Exception as error:  # noqa: BLE001 - handed to the caller, whose unit alone it undoes
        unit.error = error
    if unit.error is not None:
        if alone:
            raise _Undone
        del notices.of(session)[before:]  # what was rolled back did not happen
    # each unit has its own objects: a rollback would expire those of the units before it
    session.expunge_all()


def _cause(error: BaseException) -> str:
    """What the database said first, in a line, as that the disk is full; not the statement, which holds data."""
    said = type(error).__name__
    following: BaseException | None = error
    while following is not None:  # a rollback that fails as well says nothing new
        found = following.orig if isinstance(following, DBAPIError) else following
        if isinstance(following, DBAPIError | sqlite3.Error):
            said = str(found).partition("\n")[0] or said
        following = following.__context__
    return said


def _check_transaction(session: Session) -> None:
    """Make sure the batch still has its transaction.

    A full disk or a failing one can make SQLite roll back everything, not the
    statement alone. What follows would then be committed by itself, and what went
    before would be believed.
    """
    raw = session.connection().connection.dbapi_connection if session.is_active else None
    if raw is None or (isinstance(raw, sqlite3.Connection) and not raw.in_transaction):
        raise _TransactionLost


def _call_on(
    loop: asyncio.AbstractEventLoop,
    listener: Callable[[list[notices.Notice]], None],
    heard: list[notices.Notice],
) -> None:
    with suppress(RuntimeError):  # the loop has closed: nobody is left to be told
        loop.call_soon_threadsafe(listener, heard)


def _log_failure(done: Future[object]) -> None:
    if (error := done.exception()) is not None:
        logger.warning("A note could not be stored: %s", error)


def _outcome(outcome: object) -> T | Exception:
    if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
        raise outcome
    return cast("T | Exception", outcome)  # the unit's own T: the queue holds units of all kinds
