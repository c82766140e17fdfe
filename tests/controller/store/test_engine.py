"""What the database is set to, and what readers may see and do."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, select, text

from controller.services import audit, devices, events
from controller.store import engine
from controller.store.store import Store, StoreFailed, StoreRefused
from controller.store.tables import AuditEntry
from schemas.events import Event
from schemas.wire import JsonObject
from tests.factories import ADMIN, NOON, a_place

WITHIN = 10  # seconds


def actions(session: Session) -> list[str]:
    return list(session.exec(select(AuditEntry.action).order_by(col(AuditEntry.number))))


async def test_a_reader_cannot_write(store: Store) -> None:
    def writes(session: Session) -> None:
        audit.record(session, "sneaked in", now=NOON)
        session.commit()

    with pytest.raises(StoreFailed):
        await store.read(writes)
    assert await store.read(actions) == []


async def test_a_reader_sees_no_transaction_that_is_not_committed(store: Store) -> None:
    seen: list[list[str]] = []

    def work(session: Session) -> None:
        audit.record(session, "one", now=NOON)
        session.flush()
        seen.append(asyncio.run_coroutine_threadsafe(store.read(actions), loop).result(WITHIN))

    loop = asyncio.get_running_loop()
    await store.write(work)

    assert seen == [[]]
    assert await store.read(actions) == ["one"]


async def test_a_reader_sees_one_moment_however_often_it_asks(store: Store) -> None:
    def twice(session: Session) -> tuple[list[str], list[str]]:
        first = actions(session)
        writing = store.write(lambda session: audit.record(session, "meanwhile", now=NOON))
        asyncio.run_coroutine_threadsafe(writing, loop).result(WITHIN)
        return first, actions(session)

    loop = asyncio.get_running_loop()

    assert await store.read(twice) == ([], [])
    assert await store.read(actions) == ["meanwhile"]


async def test_a_single_question_sees_what_is_committed_and_cannot_write(store: Store) -> None:
    await store.write(lambda session: audit.record(session, "one", now=NOON))
    insert = "INSERT INTO audit_cuts SELECT * FROM audit_cuts"
    with pytest.raises(StoreFailed):
        await store.ask(lambda session: session.connection().exec_driver_sql(insert))

    assert await store.ask(actions) == ["one"]


async def test_a_second_question_where_one_was_promised_is_refused(store: Store) -> None:
    with pytest.raises(engine.SecondStatement):
        await store.ask(lambda session: (actions(session), actions(session)))

    assert await store.ask(actions) == await store.ask(actions) == []


async def test_foreign_keys_and_the_journal_are_as_promised(sqlite_store: Store) -> None:
    store = sqlite_store

    def pragmas(session: Session) -> dict[str, object]:
        names = ("foreign_keys", "journal_mode", "synchronous", "busy_timeout", "secure_delete")
        return {name: session.connection().execute(text(f"PRAGMA {name}")).scalar_one() for name in names}

    expected = {
        "foreign_keys": 1,
        "journal_mode": "wal",
        "synchronous": 1,
        "busy_timeout": 5000,
        "secure_delete": 1,
    }
    assert await store.write(pragmas) == expected
    assert await store.read(pragmas) == expected


async def test_times_come_back_in_utc_and_without_a_zone_are_refused(store: Store) -> None:
    event = Event.model_validate(
        {"id": "e", "type": "t", "severity": "info", "data": {}, "at": NOON + timedelta(hours=1)},
        strict=False,
    )
    await store.write(lambda session: devices.add(session, a_place(), actor=ADMIN, now=NOON))
    await store.write(lambda session: events.store(session, "laptop", event, now=NOON))

    (row,) = await store.read(events.recent)
    assert row.created_at == NOON + timedelta(hours=1)
    assert row.created_at.utcoffset() == timedelta(0)
    with pytest.raises(StoreRefused):
        await store.write(lambda session: audit_without_zone(session))


def audit_without_zone(session: Session) -> None:
    session.add(AuditEntry(at=NOON.replace(tzinfo=None), actor="a", via="api", action="x"))
    session.flush()


async def test_a_server_is_not_waited_for_for_ever(postgresql_store: Store) -> None:
    def settings(session: Session) -> dict[str, object]:
        names = (
            "default_transaction_read_only",
            "transaction_isolation",
            "lock_timeout",
            "statement_timeout",
        )
        return {name: session.connection().execute(text(f"SHOW {name}")).scalar_one() for name in names}

    assert await postgresql_store.write(settings) == {
        "default_transaction_read_only": "off",
        "transaction_isolation": "read committed",
        "lock_timeout": "5s",
        "statement_timeout": "0",
    }
    assert await postgresql_store.read(settings) == {
        "default_transaction_read_only": "on",
        "transaction_isolation": "repeatable read",
        "lock_timeout": "5s",
        "statement_timeout": "30s",
    }


def test_what_was_taken_away_is_in_no_file_after_a_stop(sqlite_url: str) -> None:
    """A secret argument goes when its command has ended; neither free pages nor the log keep it."""
    beside = engine.reader(sqlite_url)  # as `orion doctor` has it: the last to leave would empty the log
    with beside.connect() as looking:
        looking.exec_driver_sql("SELECT 1").all()
        looking.rollback()
        asyncio.run(_say_and_take_away(Store(sqlite_url)))
        folder = Path(sqlite_url.removeprefix("sqlite:///")).parent
        kept = [path.name for path in folder.glob("orion.db*") if b"s3cr3t-" in path.read_bytes()]
    beside.dispose()

    assert kept == []


async def _say_and_take_away(store: Store) -> None:
    store.open()
    detail: JsonObject = {"pin": "s3cr3t-" * 40}
    await store.write(lambda session: audit.record(session, "said", now=NOON, detail=detail))
    await store.write(lambda session: session.connection().exec_driver_sql("DELETE FROM audit_log").close())
    await asyncio.to_thread(store.close)
