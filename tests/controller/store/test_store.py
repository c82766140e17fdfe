"""The one writer: what is committed is told, what is not is not, and nothing stops it for good."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool
from sqlmodel import Session, col, select, text

from controller.errors import Refused
from controller.services import audit, devices
from controller.store import notices
from controller.store import store as store_module
from controller.store.store import Store, StoreBusy, StoreFailed, StoreRefused
from controller.store.tables import AuditEntry, Device, Message
from tests.factories import ADMIN, NOON, a_place


def noting(action: str) -> Callable[[Session], str]:
    """A unit that leaves one audit row."""

    def work(session: Session) -> str:
        audit.record(session, action, now=NOON)
        return action

    return work


def failing(action: str) -> Callable[[Session], str]:
    """A unit that writes, announces, and then thinks better of it."""

    def work(session: Session) -> str:
        audit.record(session, action, now=NOON)
        session.flush()
        raise Refused("no")

    return work


def actions(session: Session) -> list[str]:
    return list(session.exec(select(AuditEntry.action).order_by(col(AuditEntry.number))))


@contextmanager
def held(store: Store) -> Iterator[None]:
    """Keep the writer busy, so that what is written meanwhile becomes one batch."""
    begun, free = threading.Event(), threading.Event()

    def hold(_session: Session) -> None:
        begun.set()
        free.wait(10)

    store.write_soon(hold)
    begun.wait(10)  # it is in a transaction of its own
    try:
        yield
    finally:
        free.set()


async def batch(store: Store, *works: Callable[[Session], object]) -> list[object]:
    """The outcomes of units that share one transaction."""
    with held(store):
        waiting = asyncio.create_task(store.write_all(works))
        await asyncio.sleep(0)
    return await waiting


async def test_a_failing_unit_rolls_back_alone(store: Store) -> None:
    outcomes = await batch(store, noting("one"), failing("two"), noting("three"))

    assert outcomes[0] == "one"
    assert isinstance(outcomes[1], Refused)
    assert outcomes[2] == "three"
    assert await store.read(actions) == ["one", "three"]


async def test_what_a_failing_unit_announced_is_never_told(store: Store) -> None:
    heard: list[notices.Notice] = []
    store.listen(heard.extend)

    await batch(store, noting("one"), failing("two"), noting("three"))

    told = [notice.line["action"] for notice in heard if isinstance(notice, notices.Audited)]
    assert told == ["one", "three"]


async def test_a_unit_that_fails_alone_leaves_nothing_and_is_told_to_nobody(store: Store) -> None:
    heard: list[notices.Notice] = []
    store.listen(heard.extend)

    with pytest.raises(Refused):
        await store.write(failing("alone"))

    assert await store.write(noting("after")) == "after"
    assert await store.read(actions) == ["after"]
    assert [notice.line["action"] for notice in heard if isinstance(notice, notices.Audited)] == ["after"]


async def test_who_waited_finds_the_news_delivered(store: Store) -> None:
    heard: list[notices.Notice] = []
    store.listen(heard.extend)

    await store.write(noting("one"))

    assert len(heard) == 1
    assert await store.read(actions) == ["one"]


async def test_a_transaction_that_cannot_be_committed_is_told_to_nobody(store: Store) -> None:
    heard: list[notices.Notice] = []
    store.listen(heard.extend)

    def breaks_at_commit(session: Session) -> None:
        later = {
            "sqlite": "PRAGMA defer_foreign_keys=ON",
            "postgresql": "ALTER TABLE messages ALTER CONSTRAINT messages_session_id_fkey "
            "DEFERRABLE INITIALLY DEFERRED",
        }
        connection = session.connection()
        connection.execute(text(later[connection.dialect.name]))
        session.add(Message(id="m", session_id="nowhere", role="user", content="", created_at=NOON))

    outcomes = await batch(store, noting("one"), breaks_at_commit)

    assert all(isinstance(outcome, StoreFailed) for outcome in outcomes)
    assert heard == []
    assert await store.read(actions) == []
    assert await store.write(noting("after")) == "after"


def full(session: Session) -> None:
    """Meet a full disk: SQLite then gives up the whole transaction, not the statement alone."""
    connection = session.connection()
    pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    connection.execute(text(f"PRAGMA max_page_count={pages}"))
    connection.execute(text("INSERT INTO plain VALUES (:filler)"), {"filler": "x" * 4_000_000})


async def test_a_full_disk_fails_the_whole_batch_and_the_program_goes_on(sqlite_store: Store) -> None:
    store = sqlite_store
    heard: list[notices.Notice] = []
    # without constraints SQLite keeps no journal of the statement, and so cannot undo it alone
    await store.write(lambda session: session.connection().execute(text("CREATE TABLE plain (x)")) and None)
    store.listen(heard.extend)

    outcomes = await batch(store, noting("before"), full, noting("behind"))

    assert all(isinstance(outcome, StoreFailed) for outcome in outcomes), outcomes
    assert "database or disk is full" in str(outcomes[1])
    assert heard == []
    assert await store.read(actions) == []
    await store.write(
        lambda session: session.connection().execute(text("PRAGMA max_page_count=1000000")) and None
    )
    assert await store.write(noting("after")) == "after"
    assert await store.read(actions) == ["after"]


def set_read_only(store: Store, switch: str) -> None:
    """What a file system that turned read-only, or a server that is a replica now, does to the writer."""
    engine = store._writer
    if engine.dialect.name == "postgresql":
        _set_for_new_sessions(engine, switch)
        word = f"SET default_transaction_read_only={switch}"
    else:
        word = f"PRAGMA query_only={switch}"
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    alone = False
    while not alone:  # the writer may be at work with a connection that it gives back afterwards
        held = [engine.raw_connection()]
        while pool.checkedin():
            held.append(engine.raw_connection())
        alone = pool.checkedout() == len(held)
        for connection in held:
            if alone:
                connection.cursor().execute(word)
                connection.commit()
            connection.close()


def _set_for_new_sessions(engine: Engine, switch: str) -> None:
    with engine.connect() as connection:
        connection.execute(text("SET TRANSACTION READ WRITE"))
        connection.execute(
            text(f'ALTER DATABASE "{engine.url.database}" SET default_transaction_read_only = {switch}')
        )
        connection.commit()


async def test_a_database_that_takes_no_writes_is_a_failure_to_try_again(store: Store) -> None:
    await asyncio.to_thread(set_read_only, store, "ON")

    with pytest.raises(StoreFailed):
        await store.write(noting("one"))

    await asyncio.to_thread(set_read_only, store, "OFF")
    assert await store.write(noting("two")) == "two"
    assert await store.read(actions) == ["two"]


async def test_content_that_never_fits_is_refused_for_good(store: Store) -> None:
    def unfit(session: Session) -> None:
        session.add(Message(id="m", session_id="nowhere", role="user", content="", created_at=NOON))

    with pytest.raises(StoreRefused):
        await store.write(unfit)

    assert await store.write(noting("after")) == "after"


async def test_a_caller_who_gives_up_does_not_stop_the_writer(store: Store) -> None:
    with held(store):
        impatient = asyncio.create_task(store.write(noting("given up")))
        await asyncio.sleep(0)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient

    assert await store.write(noting("after")) == "after"
    assert await store.read(actions) == ["after"]


async def test_a_caller_who_gives_up_in_the_middle_of_the_work_does_not_stop_the_writer(store: Store) -> None:
    begun, free = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        begun.set()
        free.wait(10)
        audit.record(session, "slow", now=NOON)

    impatient = asyncio.create_task(store.write(slow))
    await asyncio.to_thread(begun.wait, 10)
    impatient.cancel()
    free.set()
    with pytest.raises(asyncio.CancelledError):
        await impatient

    assert await store.write(noting("after")) == "after"
    assert await store.read(actions) == ["slow", "after"]


async def test_a_full_queue_is_told_and_takes_none_of_the_work(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(store):
        many = [noting(f"{number}") for number in range(store_module.MAX_QUEUED + 1)]
        with pytest.raises(StoreBusy):
            await store.write_all(many)

    await store.write(noting("after"))
    assert await store.read(actions) == ["after"]


async def test_a_note_that_finds_no_room_is_dropped_and_logged(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with held(store):
        for _ in range(store_module.MAX_QUEUED + 2):
            store.write_soon(lambda _session: None)

    assert "a note was dropped" in caplog.text


async def test_a_note_that_fails_is_logged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.write_soon(failing("lost"))

    await store.write(noting("after"))

    assert "could not be stored: no" in caplog.text


async def test_a_unit_that_fails_leaves_the_rows_of_the_others_readable(store: Store) -> None:
    await store.write(lambda session: devices.add(session, a_place(), actor=ADMIN, now=NOON))

    def rename_and_fail(session: Session) -> None:
        devices.get(session, "laptop").name = "lost"
        session.flush()
        raise Refused("no")

    kept, _refused = await batch(store, lambda session: devices.get(session, "laptop"), rename_and_fail)

    assert isinstance(kept, Device)
    assert (kept.device_id, kept.name) == ("laptop", None)


async def test_work_that_waits_when_the_store_closes_is_done_first(database_url: str) -> None:
    first = await asyncio.to_thread(Store, database_url)
    await asyncio.to_thread(first.open)
    for number in range(50):
        first.write_soon(noting(f"{number}"))
    await asyncio.to_thread(first.close)

    second = await asyncio.to_thread(Store, database_url)
    await asyncio.to_thread(second.open)
    assert len(await second.read(actions)) == 50
    await asyncio.to_thread(second.close)


async def test_work_after_the_close_is_refused_instead_of_waiting_for_ever(database_url: str) -> None:
    closed = await asyncio.to_thread(Store, database_url)
    await asyncio.to_thread(closed.open)
    await asyncio.to_thread(closed.close)

    async with asyncio.timeout(5):
        with pytest.raises(StoreFailed):
            await closed.write(noting("late"))
    closed.write_soon(noting("late too"))
