"""What is committed gets from SQLite's log into its file, without a commit that waits for it."""

import asyncio
import shutil
import sqlite3
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from controller.services import audit
from controller.store import checkpoints, engine
from controller.store.store import Store
from tests.databases import Databases
from tests.factories import NOON


def rows_of(path: Path, copy: Path) -> int:
    """How many rows are in the file itself, whatever its log holds; none while it is being changed."""
    shutil.copyfile(path, copy)
    with (
        suppress(sqlite3.DatabaseError),
        closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as connection,
    ):
        return int(connection.execute("SELECT count(*) FROM audit_log").fetchone()[0])
    return 0


async def test_much_that_was_written_is_brought_into_the_file_while_the_store_is_open(
    sqlite_databases: Databases, tmp_path: Path
) -> None:
    with sqlite_databases.migrated() as url:
        path = Path(url.removeprefix("sqlite:///"))
        store = await asyncio.to_thread(Store, url)
        await asyncio.to_thread(store.open)
        try:
            for _ in range(checkpoints.AFTER):
                await store.write(partial(audit.record, action="noted", now=NOON))
            async with asyncio.timeout(30):
                while not await asyncio.to_thread(rows_of, path, tmp_path / "copy"):
                    await asyncio.sleep(0.05)
        finally:
            await asyncio.to_thread(store.close)


async def test_a_commit_does_not_do_it(sqlite_databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "AFTER", 10**9)
    with sqlite_databases.migrated() as url:
        store = await asyncio.to_thread(Store, url)
        await asyncio.to_thread(store.open)
        try:
            long = partial(audit.record, action="noted", now=NOON, detail={"said": "x" * 50_000})
            for _ in range(200):  # some 2,600 pages; by itself SQLite would do it after 1,000
                await store.write(long)
            log = Path(url.removeprefix("sqlite:///") + "-wal")
            assert await asyncio.to_thread(lambda: log.stat().st_size) > 2_000 * 4_096
        finally:
            await asyncio.to_thread(store.close)


def test_a_server_has_no_rows_to_count(postgresql_databases: Databases) -> None:
    with postgresql_databases.writer.connect() as connection:
        assert engine.rows_changed(connection) == 0
