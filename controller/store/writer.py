"""The one thread that writes, with group commit: what waits together goes into one transaction.

A unit of work that raises rolls back alone (SAVEPOINT, where it has company); the rest of its batch
commits. Whoever waits is woken after the COMMIT, never before.
"""

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from time import monotonic

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlmodel import Session

from controller.store import engine as engines
from controller.store import notices
from controller.store.checkpoints import Checkpoints
from controller.store.failures import StoreFailed, StoreRefused, StoreUnsure, cause
from controller.store.freshness import Freshness

logger = logging.getLogger(__name__)

MAX_BATCH = 256  # units in one transaction


class _TransactionLost(Exception):
    """The database gave up the whole transaction in the middle of it."""


class _Undone(Exception):
    """The only unit of a transaction failed, and the transaction with it."""


@dataclass(slots=True)
class Unit:
    """One piece of work, and what came of it: known in `done` once it is committed.

    It is done in the context of whoever asked for it, so that its log lines and rows say what it is about.
    """

    work: Callable[[Session], object]
    context: Context = field(default_factory=copy_context)
    done: Future[object] = field(default_factory=Future)
    outcome: object = None
    error: Exception | None = None


class Writer:
    """Does what is put into its queue. `begin` gives it a session; `hear` is told what each commit announced."""

    def __init__(
        self,
        begin: Callable[[], Session],
        checkpoints: Checkpoints,
        hear: Callable[[list[notices.Notice]], None],
        freshness: Freshness,
        *,
        most: int,
    ) -> None:
        self._begin = begin
        self._checkpoints = checkpoints
        self._hear = hear
        self._freshness = freshness
        self._most = most
        self._queue: queue.Queue[Unit | None] = queue.Queue(most)
        self.took_at: float | None = None  # monotonic, of the last change; None: none, or one failed since
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def has_room(self, count: int) -> bool:
        """Whether so many units fit into the queue. Only one event loop puts, so what it sees stays."""
        return self._queue.qsize() + count <= self._most

    @property
    def waiting(self) -> int:
        """How many units wait."""
        return self._queue.qsize()

    def put(self, unit: Unit) -> None:
        """Have a unit done.

        Raises:
            queue.Full: too much waits.
        """
        self._queue.put_nowait(unit)

    def close(self) -> None:
        """Finish what waits. Blocks."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = self._gather(first)
            self._commit(batch)
            if last:
                return

    def _gather(self, first: Unit) -> tuple[list[Unit], bool]:
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

    def _commit(self, batch: list[Unit]) -> None:
        # who was cancelled while waiting gets nothing done; from here on a caller cannot take it back
        wanted = [unit for unit in batch if unit.done.set_running_or_notify_cancel()]
        heard: list[notices.Notice] = []
        changed = 0
        committing = False
        try:
            with self._begin() as session, session.begin():
                before = engines.rows_changed(session.connection())
                for unit in wanted:
                    _do(session, unit, alone=len(wanted) == 1)
                    _check_transaction(session)
                told = notices.taken(session)
                after = engines.rows_changed(session.connection())
                committing = True
            heard, changed = told, after - before
            if heard or changed:
                self.took_at = monotonic()
        except _Undone:
            pass
        except (SQLAlchemyError, StoreFailed, _TransactionLost) as error:
            self.took_at = None
            _fail(wanted, error, committing=committing)
        self._freshness.committed()
        if heard:
            self._hear(heard)  # before the waiters below: who is woken finds the news delivered
        for unit in wanted:
            if unit.error is not None:
                unit.done.set_exception(unit.error)
            else:
                unit.done.set_result(unit.outcome)
        self._checkpoints.count(changed)


def _fail(wanted: Sequence[Unit], error: Exception, *, committing: bool) -> None:
    failure = _failure(error, committing=committing)
    if isinstance(error, SQLAlchemyError) and not (
        isinstance(error, DBAPIError) and engines.will_pass(error)
    ):
        # the code's fault: where in it is of use
        logger.error("A transaction of %d units failed", len(wanted), exc_info=error)
    else:
        logger.warning("A transaction of %d units failed: %s", len(wanted), failure.said)
    for unit in wanted:
        unit.error = unit.error or failure


def _failure(error: Exception, *, committing: bool) -> StoreFailed:
    """What those are told whose transaction did not end well."""
    if isinstance(error, StoreFailed):
        return error
    if committing and isinstance(error, DBAPIError) and error.connection_invalidated:
        return StoreUnsure(cause(error))
    return StoreFailed(f"The database refused the transaction: {cause(error)}.")


def _do(session: Session, unit: Unit, *, alone: bool) -> None:
    before = len(notices.of(session))
    try:
        with nullcontext() if alone else session.begin_nested():  # alone, the transaction is its own
            unit.outcome = unit.context.run(unit.work, session)
            session.flush()
    except StatementError as error:
        if isinstance(error, DBAPIError) and engines.will_pass(error):
            unit.error = StoreFailed(f"The database could not take the change now: {cause(error)}.")
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


def _check_transaction(session: Session) -> None:
    """Make sure the batch still has its transaction.

    A full disk or a failing one can make SQLite roll back everything, not the
    statement alone. What follows would then be committed by itself, and what went
    before would be believed.
    """
    raw = session.connection().connection.dbapi_connection if session.is_active else None
    if raw is None or (isinstance(raw, sqlite3.Connection) and not raw.in_transaction):
        raise _TransactionLost
