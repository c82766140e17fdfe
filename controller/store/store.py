"""The database of one controller, for the event loop: one writer with group commit, a few readers beside it.

What is written is known when it is committed; what is read is what is committed.
"""

import asyncio
import logging
import queue
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, cast

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool
from sqlmodel import Session

from controller.store import engine as engines
from controller.store import migrate, notices, server
from controller.store.checkpoints import Checkpoints
from controller.store.failures import StoreAway, StoreBusy, StoreFailed, StoreRefused, cause
from controller.store.freshness import Freshness
from controller.store.house import HouseRules
from controller.store.whereabouts import Whereabouts
from controller.store.writer import Unit, Writer

__all__ = [
    "HouseRules",
    "PoolUse",
    "Session",
    "Store",
    "StoreAway",
    "StoreBusy",
    "StoreFailed",
    "StoreRefused",
]  # doors name the session, never sqlmodel

logger = logging.getLogger(__name__)

MAX_QUEUED = 10_000  # units that wait for the writer; beyond that the caller is told
READERS = 4  # threads

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PoolUse:
    """How many connections are at work, and how many wait for some."""

    in_use: int
    idle: int


class Store:
    """The database of one controller. `open` migrates it; `close` waits for the writer."""

    def __init__(self, url: str, rules: HouseRules | None = None) -> None:
        self.url = url
        self._rules = rules or HouseRules()
        self._writer = engines.writer(url)
        self._reader, self._asker = engines.readers(url)
        self._whereabouts = Whereabouts(url)
        self._checkpoints = Checkpoints(self._reader)
        self.freshness = Freshness(self._writer)
        self._work = Writer(self._begun, self._checkpoints, self._tell, self.freshness, most=MAX_QUEUED)
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
            raise StoreAway(f"The database does not answer: {cause(error)}.") from error
        self._whereabouts.note()
        self._work.start()

    def listen(self, listener: Callable[[list[notices.Notice]], None]) -> None:
        """Call `listener` on this event loop with what each committed transaction announced."""
        loop = asyncio.get_running_loop()
        self._listener = lambda heard: _call_on(loop, listener, heard)

    def close(self) -> None:
        """Finish what waits, then close every connection. Blocks."""
        self._closed = True
        self._work.close()
        self._checkpoints.close()
        self._readers.shutdown()
        self._reader.dispose()
        with suppress(DBAPIError, sqlite3.Error):  # the next stop or SQLite itself does it
            engines.empty_log(self._writer)
        self._writer.dispose()

    @property
    def waiting(self) -> int:
        """How many units wait for the writer."""
        return self._work.waiting

    @property
    def took_at(self) -> float | None:
        """When it took a change last (`time.monotonic`); None: it never did, or failed since."""
        return self._work.took_at

    async def room(self) -> int | None:
        """How many bytes are free where its file lies; None: it has none, or that cannot be known."""
        return await asyncio.to_thread(self._whereabouts.room)

    def pools(self) -> dict[str, PoolUse]:
        """The connections of the writer and of the readers."""
        pools = {"writer": self._writer.pool, "readers": self._reader.pool}
        return {
            name: PoolUse(pool.checkedout(), pool.checkedin())
            for name, pool in pools.items()
            if isinstance(pool, QueuePool)
        }

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run one unit in the writer's next transaction and return after its COMMIT."""
        outcome = (await self.write_all([work]))[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def write_soon(self, work: Callable[[Session], object]) -> None:
        """Note something whose loss would be repaired: nobody waits, a failure is logged."""
        unit = Unit(work)
        unit.done.add_done_callback(_log_failure)
        try:
            self._check_open()
            self._work.put(unit)
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
        units = [Unit(work) for work in works]
        self._check_open()
        if not self._work.has_room(len(units)):
            raise StoreBusy("The database cannot keep up; try again in a moment.")
        for unit in units:
            self._work.put(unit)
        outcomes = await asyncio.gather(
            *(asyncio.wrap_future(unit.done) for unit in units), return_exceptions=True
        )
        return [_outcome(outcome) for outcome in outcomes]

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run a query beside the writer; it sees what is committed. Once more where the connection was lost.

        Raises:
            StoreFailed: the database cannot be read now, or the store is closed.
        """
        return await self._look(self._reader, work)

    async def ask(self, work: Callable[[Session], T]) -> T:
        """Run a query of one statement, as `read` does. A server is asked once instead of three times.

        Raises:
            StoreFailed: as `read`.
            SecondStatement: `work` asks more than one; what it found need not be of one moment.
        """
        return await self._look(self._asker, work)

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
                f"The database could not be brought to the disk now: {cause(error)}."
            ) from error

    async def _look(self, engine: Engine, work: Callable[[Session], T]) -> T:
        self._check_open()
        look = partial(copy_context().run, self._look_now, engine, work)
        return await asyncio.get_running_loop().run_in_executor(self._readers, look)

    def _look_now(self, engine: Engine, work: Callable[[Session], T], *, again: bool = True) -> T:
        try:
            with self._session(engine) as session:
                return work(session)
        except DBAPIError as error:
            # as by a server that was restarted; the next one is new
            if again and error.connection_invalidated:
                return self._look_now(engine, work, again=False)
            if not engines.will_pass(error):
                raise
            logger.warning("A query failed in the database: %s", cause(error))
            raise StoreFailed(f"The database could not be read now: {cause(error)}.") from error

    def _begun(self) -> Session:
        self._whereabouts.check()
        return self._session(self._writer)

    def _session(self, engine: Engine) -> Session:
        return Session(engine, expire_on_commit=False, info=self._rules.known_in())

    def _check_open(self) -> None:
        if self._closed:
            raise StoreFailed("The database is closed.")

    def _tell(self, heard: list[notices.Notice]) -> None:
        if self._listener is not None:
            self._listener(heard)


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
