"""Giving back the room of what was deleted holds nobody up."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text
from sqlmodel import Session

from controller.cleaner import Cleaner
from controller.services import devices, retention
from controller.services.retention import Keep
from controller.store import engine, space
from controller.store.store import Store
from controller.store.tables import Metric, MetricProgress
from tests.databases import Databases
from tests.factories import ADMIN, NOON, a_place

PAGES = 8_000  # of the file, a row each; the first half goes, and the others move to its place


def fill_and_empty(session: Session) -> None:
    connection = session.connection()
    connection.execute(text("CREATE TABLE heap (number INTEGER PRIMARY KEY, words TEXT)"))
    rows = [{"number": number, "words": f"{number:>3000}"} for number in range(PAGES)]
    connection.execute(text("INSERT INTO heap VALUES (:number, :words)"), rows)
    connection.execute(text("DELETE FROM heap WHERE number < :gone"), {"gone": PAGES // 2})
    devices.add(session, a_place(), actor=ADMIN, now=NOON)
    session.add(MetricProgress(seconds=retention.FINE, begun=NOON, done=NOON))
    old = NOON - timedelta(days=3)
    session.add(Metric(device_id="laptop", measure="cpu", at=old, seconds=0, mean=1, low=1, high=1))


def shorten_log(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return log_size(path)


def log_size(path: Path) -> int:
    return Path(f"{path}-wal").stat().st_size


async def test_a_commit_never_has_to_shorten_the_log_itself(sqlite_databases: Databases) -> None:
    with sqlite_databases.migrated() as url:
        path = Path(url.removeprefix("sqlite:///"))
        store = await asyncio.to_thread(Store, url)
        await asyncio.to_thread(store.open)
        try:
            await store.write(fill_and_empty)
            async with asyncio.timeout(30):  # the store shortens it too, and may be at it
                while await asyncio.to_thread(shorten_log, path):
                    await asyncio.sleep(0.05)

            assert (await Cleaner(store, Keep(), now=lambda: NOON).clean())["metrics"] == 1

            assert await asyncio.to_thread(log_size, path) < PAGES / 8 * 4_096 < engine.LONGEST_LOG * 4_096
            assert await store.read(space.free) == 0
        finally:
            await asyncio.to_thread(store.close)
