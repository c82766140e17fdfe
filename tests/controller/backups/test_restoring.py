"""A backup is put back whole or not at all, and what was there is kept."""

import asyncio
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from controller.services import restoration
from controller.store import backups, engine, headfile, migrate
from controller.store.backups import BackupUnusable, ChainBroken, DatabaseInUse, NotRestored, archive
from controller.store.store import Store
from tests.controller.backups.installed import AT, Installed, audited
from tests.controller.store.test_revisions import at, contents, fill
from tests.databases import POSTGRESQL, SQLITE, Databases
from tests.factories import ADMIN, NOON


def test_every_row_is_what_it_was(installed: Installed, tmp_path: Path) -> None:
    before = installed.rows()
    made = backups.make(installed.source, tmp_path, now=NOON)
    installed.go_on()
    assert installed.rows() != before

    done = installed.restore(made.path)

    after = installed.rows()
    added = after["audit_log"].pop(max(range(3), key=lambda i: int(after["audit_log"][i]["number"])))
    assert after == before
    assert (added["action"], added["at"].replace(tzinfo=AT.tzinfo)) == ("store.restored", AT)
    assert added["detail"]["sha256"] == made.manifest.contents["database"].sha256
    assert sum(made.manifest.rows.values()) == sum(map(len, before.values()))
    assert done.manifest == made.manifest


def test_the_audit_is_proved_and_says_which_signed_end_was_given_up(
    installed: Installed, backup: Path
) -> None:
    signed = headfile.lines_of(installed.heads_path)
    assert installed.is_proved()

    done = installed.restore(backup)

    assert installed.is_proved()
    assert headfile.lines_of(installed.heads_path) == signed[:1]
    assert done.heads_aside is not None
    assert headfile.lines_of(done.heads_aside) == signed
    (given_up,) = done.given_up
    row = next(row for row in installed.rows()["audit_log"] if row["action"] == "store.restored")
    expected = {"instance": "main", "position": given_up.position, "hash": given_up.hash}
    assert row["detail"]["given_up"] == [expected]
    assert given_up.position == 4


def test_what_was_there_is_kept_aside(installed: Installed, backup: Path, databases: Databases) -> None:
    later = installed.rows()

    done = installed.restore(backup)

    assert done.database_aside is not None
    if databases.kind == SQLITE:
        aside = engine.writer(engine.sqlite_url(Path(done.database_aside)))
        assert contents(aside) == later
        aside.dispose()
    else:
        assert "orion_before_20260212t130000z" in done.database_aside
        assert installed.rows(schema="orion_before_20260212t130000z") == later


def test_a_backup_fills_a_place_where_nothing_is(
    installed: Installed, backup: Path, databases: Databases, tmp_path: Path
) -> None:
    with databases.empty() as url:
        elsewhere = Installed(url, tmp_path / "elsewhere")

        done = elsewhere.restore(backup)

        assert done.database_aside is None
        assert audited(elsewhere.rows()) == ["begun", "gone on", "store.restored"]
        assert elsewhere.is_proved()


def test_it_can_be_put_back_again_and_again(installed: Installed, backup: Path) -> None:
    installed.restore(backup)
    installed.restore(backup, now=NOON)

    assert audited(installed.rows()) == ["begun", "gone on", "store.restored"]
    assert installed.is_proved()


def test_a_backup_of_an_older_release_is_brought_up_to_date(databases: Databases, tmp_path: Path) -> None:
    with at(databases, "0008") as writer:
        fill(writer)
        with writer.begin() as connection:
            connection.execute(text("DELETE FROM audit_log"))  # its numbers are not the sequence's
        before = contents(writer)
        del before["audit_log"]
        url = writer.url.render_as_string(hide_password=False)
        writer.dispose()
        old = Installed(url, tmp_path / "controller")
        made = backups.make(old.source, tmp_path, now=NOON)

        old.restore(made.path)

        assert made.manifest.revision == "0008"
        assert migrate.current(writer) == migrate.newest()
        assert contents(writer, only=before) == before
        assert audited(contents(writer)) == ["store.restored"]


def test_a_backup_of_a_newer_release_is_refused(installed: Installed, tmp_path: Path) -> None:
    made = backups.make(installed.source, tmp_path, now=NOON)
    before = installed.rows()
    newer = made.manifest.model_copy(update={"revision": "9999"})
    forged = forge(made.path, newer, tmp_path)

    with pytest.raises(BackupUnusable, match=r"schema 9999.*Install that release"):
        installed.restore(forged)
    with pytest.raises(BackupUnusable, match="newer than this one"):
        installed.restore(forge(made.path, made.manifest.model_copy(update={"format": 2}), tmp_path))
    assert installed.rows() == before


def test_a_backup_of_the_other_kind_of_database_is_refused(
    sqlite_databases: Databases, postgresql_databases: Databases, tmp_path: Path
) -> None:
    with sqlite_databases.migrated() as one, postgresql_databases.migrated() as other:
        made = backups.make(Installed(one, tmp_path / "one").source, tmp_path, now=NOON)
        with pytest.raises(BackupUnusable, match="of the kind sqlite, and this installation has postgresql"):
            Installed(other, tmp_path / "other").restore(made.path)


def test_rows_that_are_missing_are_noticed(installed: Installed, tmp_path: Path) -> None:
    made = backups.make(installed.source, tmp_path, now=NOON)
    before = installed.rows()
    more = made.manifest.model_copy(update={"rows": made.manifest.rows | {"events": 4}})

    with pytest.raises(BackupUnusable, match="says that events has 4 rows, and there are 3"):
        installed.restore(forge(made.path, more, tmp_path))
    assert installed.rows() == before


def test_a_broken_audit_is_put_back_only_by_who_says_so(installed: Installed, tmp_path: Path) -> None:
    with installed.writing() as writer, writer.begin() as connection:
        connection.execute(text("UPDATE audit_log SET actor = 'mallory' WHERE position = 2"))
    made = backups.make(installed.source, tmp_path, now=NOON)
    installed.note("later")
    before, heads = installed.rows(), headfile.lines_of(installed.heads_path)

    with pytest.raises(ChainBroken, match=r"row 2 does not fit.*--accept-broken-chain"):
        installed.restore(made.path)
    assert (installed.rows(), headfile.lines_of(installed.heads_path)) == (before, heads)

    installed.restore(made.path, accept_broken_chain=True)
    assert "later" not in audited(installed.rows())


async def test_a_database_that_somebody_works_with_is_left_alone(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    installed = await asyncio.to_thread(Installed, database_url, tmp_path / "controller")
    made = await asyncio.to_thread(backups.make, installed.source, tmp_path, now=NOON)

    with pytest.raises(DatabaseInUse, match="Stop the controller"):
        await asyncio.to_thread(installed.restore, made.path)
    await store.write(lambda session: session.connection().execute(text("SELECT 1")))


def test_a_damaged_file_is_replaced_and_kept(sqlite_databases: Databases, tmp_path: Path) -> None:
    """It is why people restore."""
    with sqlite_databases.migrated() as url:
        installed = Installed(url, tmp_path / "controller")
        installed.fill()
        made = backups.make(installed.source, tmp_path, now=NOON)
        path = Path(url.removeprefix("sqlite:///"))
        path.write_bytes(b"no database at all" * 500)

        done = installed.restore(made.path)

        assert audited(installed.rows())[-1] == "store.restored"
        assert done.database_aside is not None
        assert Path(done.database_aside).read_bytes().startswith(b"no database")


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.controller.backups.installed import AT, Installed
from tests.factories import ADMIN
from controller.services import restoration

left = int(sys.argv[4])

def tell(what, done, total):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

installed = Installed(sys.argv[1], Path(sys.argv[2]))
restoration.restore(Path(sys.argv[3]), installed.target, actor=ADMIN, now=AT, tell=tell)
"""


def test_who_is_killed_leaves_the_old_database_or_the_new_one(
    installed: Installed, backup: Path, databases: Databases
) -> None:
    """At every third step that tells of itself; what is left over is in nobody's way."""
    before, step, done = installed.rows(), 0, False
    while not done:
        step += 3
        arguments = [installed.url, str(installed.heads_path.parent), str(backup), str(step)]
        ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, timeout=60)
        done = ended.returncode == 0
        if not done:
            assert ended.returncode == -9
            assert installed.rows() == before
            assert installed.is_proved()

    assert step > 3
    assert audited(installed.rows()) == ["begun", "gone on", "store.restored"]
    assert installed.is_proved()
    if databases.kind == SQLITE:
        folder = Path(installed.url.removeprefix("sqlite:///")).parent
        assert not list(folder.glob(".orion-*"))


def test_a_server_of_an_older_release_is_not_given_what_it_may_not_understand(
    postgresql_databases: Databases, tmp_path: Path
) -> None:
    with postgresql_databases.migrated() as url:
        installed = Installed(url, tmp_path / "controller")
        made = backups.make(installed.source, tmp_path, now=NOON)
        newer = made.manifest.model_copy(update={"server": 99})

        with pytest.raises(NotRestored, match="of PostgreSQL 99"):
            installed.restore(forge(made.path, newer, tmp_path))


def test_what_a_backup_of_a_file_holds_is_seen_without_putting_it_back(
    installed: Installed, backup: Path, databases: Databases
) -> None:
    before = installed.rows()

    looked = restoration.look_into(backup, installed.target.believed)

    assert installed.rows() == before
    assert (looked.chains is None) == (databases.kind == POSTGRESQL)
    if looked.chains is not None:
        assert [each.fault for each in looked.chains] == [None]


def test_who_comes_to_work_meanwhile_keeps_the_database_and_its_heads(
    postgresql_databases: Databases, tmp_path: Path
) -> None:
    with postgresql_databases.migrated() as url, ExitStack() as stack:
        installed = Installed(url, tmp_path / "controller")
        installed.fill()
        made = backups.make(installed.source, tmp_path, now=NOON)
        installed.go_on()
        before, heads = installed.rows(), headfile.lines_of(installed.heads_path)

        def somebody_comes(what: str, _done: int, _total: int) -> None:
            if what == "audit":
                connection = stack.enter_context(installed.writing()).connect()
                stack.callback(connection.close)

        with pytest.raises(DatabaseInUse, match="are open"):
            restoration.restore(made.path, installed.target, actor=ADMIN, now=AT, tell=somebody_comes)
        stack.close()

        assert (installed.rows(), headfile.lines_of(installed.heads_path)) == (before, heads)
        with installed.writing() as writer, writer.connect() as connection:
            left = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^orion'"
            assert connection.exec_driver_sql(left).all() == []


def forge(path: Path, manifest: backups.Manifest, folder: Path) -> Path:
    """The same backup, saying something else of itself."""
    parts = folder / f"parts-{manifest.revision}-{manifest.format}-{manifest.server}"
    parts.mkdir()
    backups.unpack(path, parts, lambda *_: None)
    forged = parts / path.name
    archive.pack(forged, manifest, parts, lambda *_: None)
    return forged
