"""What the one writer commits is told, and what it does not is not; after each failure it goes on."""

import asyncio
from pathlib import Path

import pytest
from sqlmodel import Session, text

from controller.errors import Refused
from controller.services import devices
from controller.store import notices
from controller.store.failures import StoreUnsure
from controller.store.store import Store, StoreFailed, StoreRefused
from controller.store.tables import Device, Message
from schemas.errors import ErrorCode
from tests.controller.store.read_only import set_read_only
from tests.controller.store.writer.units import actions, batch, failing, noting
from tests.factories import ADMIN, NOON, a_place


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


async def test_a_unit_that_fails_leaves_the_rows_of_the_others_readable(store: Store) -> None:
    await store.write(lambda session: devices.add(session, a_place(), actor=ADMIN, now=NOON))

    def rename_and_fail(session: Session) -> None:
        devices.get(session, "laptop").name = "lost"
        session.flush()
        raise Refused("no")

    kept, _refused = await batch(store, lambda session: devices.get(session, "laptop"), rename_and_fail)

    assert isinstance(kept, Device)
    assert (kept.device_id, kept.name) == ("laptop", None)


async def test_a_server_that_goes_as_it_commits_leaves_it_unknown_and_says_so(
    postgresql_store: Store,
) -> None:
    def ended_at_its_commit(session: Session) -> None:
        run = session.connection().exec_driver_sql
        run(
            "CREATE FUNCTION pg_temp.leave() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NULL; END $$"
        )
        run(
            "CREATE CONSTRAINT TRIGGER leaving AFTER INSERT ON audit_log DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION pg_temp.leave()"
        )
        noting("one")(session)

    with pytest.raises(StoreUnsure, match="is not known") as told:
        await postgresql_store.write(ended_at_its_commit)

    assert told.value.code is ErrorCode.INTERRUPTED
    assert await postgresql_store.write(noting("after")) == "after"


async def test_a_file_that_was_taken_away_takes_nothing_until_it_is_back(
    sqlite_store: Store, sqlite_url: str
) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    await sqlite_store.write(noting("one"))

    away = file.with_name("away.db")
    await asyncio.to_thread(file.rename, away)
    with pytest.raises(StoreFailed, match="was taken away"):
        await sqlite_store.write(noting("into nothing"))
    await asyncio.to_thread(file.write_bytes, b"")
    with pytest.raises(StoreFailed, match="or replaced"):
        await sqlite_store.write(noting("into nothing"))
    await asyncio.to_thread(away.replace, file)

    assert await sqlite_store.write(noting("two")) == "two"
    assert await sqlite_store.read(actions) == ["one", "two"]
