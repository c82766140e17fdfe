"""What the database is set to, and what readers may see and do."""

from datetime import timedelta

import pytest
from sqlmodel import Session, col, select, text

from controller.services import audit, devices, events
from controller.store.store import Store, StoreFailed, StoreRefused
from controller.store.tables import AuditEntry
from schemas.events import Event
from tests.factories import ADMIN, NOON, a_place


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
        reading = store._readers.submit(store._look, actions)
        seen.append(reading.result(10))

    await store.write(work)

    assert seen == [[]]
    assert await store.read(actions) == ["one"]


async def test_foreign_keys_and_the_journal_are_as_promised(store: Store) -> None:
    def pragmas(session: Session) -> dict[str, object]:
        names = ("foreign_keys", "journal_mode", "synchronous", "busy_timeout")
        return {name: session.connection().execute(text(f"PRAGMA {name}")).scalar_one() for name in names}

    expected = {"foreign_keys": 1, "journal_mode": "wal", "synchronous": 1, "busy_timeout": 5000}
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
