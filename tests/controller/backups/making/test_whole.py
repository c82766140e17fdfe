"""A backup is one moment of the database, whole, and its tools are found and told no secret openly."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from controller.services import audit
from controller.store import backups, engine
from controller.store.backups import ToolMissing, tools
from controller.store.store import Store
from tests.controller.backups.installed import Installed
from tests.databases import Databases
from tests.factories import NOON

ROWS = 3_000  # enough for a copy that takes several steps


@asynccontextmanager
async def writing_for_ever(store: Store) -> AsyncIterator[list[int]]:
    """Somebody who never stops; how many rows were confirmed."""
    confirmed: list[int] = []

    async def write() -> None:
        while True:
            await store.write(partial(audit.record, action=f"row {len(confirmed)}", now=NOON))
            confirmed.append(len(confirmed))

    task = asyncio.create_task(write())
    try:
        yield confirmed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_backup_comes_to_an_end_while_others_write_and_is_one_moment(
    store: Store, database_url: str, databases: Databases, tmp_path: Path
) -> None:
    installed = await asyncio.to_thread(Installed, database_url, tmp_path / "controller")
    noting = [partial(audit.record, action="early", now=NOON, detail={"said": "x" * 500})] * ROWS
    assert not [each for each in await store.write_all(noting) if each is not None]
    async with writing_for_ever(store) as confirmed:
        before = len(confirmed)
        made = await asyncio.to_thread(backups.make, installed.source, tmp_path, now=NOON)
        after = len(confirmed)

    rows = made.manifest.rows["audit_log"] - ROWS
    assert before <= rows <= after + 1
    with databases.empty() as url:
        elsewhere = await asyncio.to_thread(Installed, url, tmp_path / "elsewhere")
        done = await asyncio.to_thread(elsewhere.restore, made.path)
    assert [(each.rows, each.fault) for each in done.chains] == [(rows + ROWS, None)]


def test_it_says_what_it_holds(installed: Installed, tmp_path: Path, databases: Databases) -> None:
    made = backups.make(installed.source, tmp_path, now=NOON)

    assert made.path == tmp_path / "orion-main-20260212T120000Z.tar.gz"
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert made.size == made.path.stat().st_size
    assert backups.manifest_of(made.path) == made.manifest == backups.check(made.path, lambda *_: None)
    assert (made.manifest.kind, made.manifest.made_at) == (databases.kind, NOON)
    assert made.manifest.rows["devices"] == 3
    assert made.manifest.rows["audit_log"] == 2
    assert sorted(each.name for each in tmp_path.iterdir()) == ["controller", made.path.name]


def test_a_restored_copy_has_every_row_id(sqlite_databases: Databases, tmp_path: Path) -> None:
    """What points at rows by their place in the file, as a full-text index may, stays right."""
    with sqlite_databases.migrated() as url:
        installed = Installed(url, tmp_path / "controller")
        installed.fill()
        with installed.writing() as writer, writer.begin() as connection:
            connection.exec_driver_sql("DELETE FROM events WHERE id LIKE '% 0 %'")
            places = connection.exec_driver_sql("SELECT rowid, id FROM events").all()
        made = backups.make(installed.source, tmp_path, now=NOON)
        installed.restore(made.path)
        with installed.writing() as writer, writer.connect() as connection:
            assert connection.exec_driver_sql("SELECT rowid, id FROM events").all() == places
        assert places[0][0] == 2


def test_a_missing_program_is_an_error_with_its_remedy() -> None:
    with pytest.raises(ToolMissing, match=r"pg_dump of PostgreSQL 99 .*install postgresql-client-99"):
        tools.find("pg_dump", 99)


def test_a_password_stands_in_no_argument(postgresql_databases: Databases) -> None:
    with postgresql_databases.migrated() as url:
        writer = engine.writer(url)
        with writer.connect() as connection:
            password = str(writer.url.password)
            assert len(password) > 20
            assert password not in tools.address_of(connection)
            assert tools.environment(connection)["PGPASSWORD"] == password
        writer.dispose()


def test_a_first_row_that_somebody_changed_keeps_nobody_from_a_backup(
    installed: Installed, tmp_path: Path
) -> None:
    changed = engine.writer(installed.source.url)
    with changed.begin() as connection:
        connection.exec_driver_sql("UPDATE audit_log SET hash = '00' WHERE number = 1")
    changed.dispose()

    made = backups.make(installed.source, tmp_path, now=NOON)

    assert made.path.exists()
    assert made.manifest.origin is None
