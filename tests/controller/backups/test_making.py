"""A backup is one moment of the database, whole, under its name only when it is finished."""

import asyncio
import gzip
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from controller.services import audit
from controller.store import backups, engine
from controller.store.backups import BackupUnusable, NotBackedUp, ToolMissing, archive, tools
from controller.store.store import Store
from tests.controller.backups.installed import Installed
from tests.databases import Databases
from tests.disks import small_disk
from tests.factories import NOON, later

ROWS = 3_000  # enough for a copy that takes several steps
LONG = 4_000_000  # characters of a row: the same


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


def test_a_file_that_is_there_stays_unless_somebody_says_otherwise(
    installed: Installed, tmp_path: Path
) -> None:
    path = tmp_path / "mine.tar.gz"
    path.write_text("precious")

    with pytest.raises(NotBackedUp, match="is there"):
        backups.make(installed.source, path, now=NOON)
    assert path.read_text() == "precious"

    backups.make(installed.source, path, now=NOON, replace=True)
    assert backups.manifest_of(path).made_at == NOON


def test_where_there_is_no_database_or_nothing_in_it_no_backup_is_made(
    databases: Databases, tmp_path: Path
) -> None:
    with databases.empty() as url:
        installed = Installed(url, tmp_path / "controller")
        with installed.writing() as writer:
            writer.connect().close()
        with pytest.raises(NotBackedUp, match="There is nothing"):
            backups.make(installed.source, tmp_path, now=NOON)
    assert list(tmp_path.glob("*orion*")) == []


def test_a_damaged_database_is_not_copied(sqlite_databases: Databases, tmp_path: Path) -> None:
    """Or good backups would be replaced by bad ones."""
    with sqlite_databases.migrated() as url:
        path = Path(url.removeprefix("sqlite:///"))
        with path.open("r+b") as file:
            for page in range(5, 30):
                file.seek(page * 4096)
                file.write(b"\xff" * 512)
        with pytest.raises(NotBackedUp):
            backups.make(Installed(url, tmp_path / "controller").source, tmp_path, now=NOON)
    assert list(tmp_path.glob("*orion*")) == []


async def test_a_full_disk_gets_no_half_backup(installed: Installed, tmp_path: Path) -> None:
    async with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(NotBackedUp, match="There is no room in"):
            await asyncio.to_thread(backups.make, installed.source, disk.path, now=NOON)
        assert await asyncio.to_thread(lambda: list(disk.path.iterdir())) == []


@pytest.mark.parametrize("step", ["copying", "compressing"])
async def test_a_disk_that_fills_meanwhile_gets_no_half_backup(
    installed: Installed, tmp_path: Path, step: str
) -> None:
    await asyncio.to_thread(installed.note, "long", "x" * LONG)
    async with small_disk(tmp_path / "disk", size=backups.RESERVE + 10 * LONG) as disk:

        def tell(what: str, _done: int, _total: int) -> None:
            if what == step and not (disk.path / "filler").exists():
                disk.fill_now()

        with pytest.raises(NotBackedUp, match=r"full|No space left"):
            await asyncio.to_thread(backups.make, installed.source, disk.path, now=NOON, tell=tell)
        assert await asyncio.to_thread(os.listdir, disk.path) == ["filler"]

        await disk.free()
        made = await asyncio.to_thread(backups.make, installed.source, disk.path, now=NOON)
        assert await asyncio.to_thread(backups.check, made.path, lambda *_: None) == made.manifest


KILLED = """
import os, signal, sys
from pathlib import Path
from controller.store import backups
from tests.controller.backups.installed import Installed
from tests.factories import NOON

def tell(what, done, total):
    if what == "compressing":
        os.kill(os.getpid(), signal.SIGKILL)

backups.make(Installed(sys.argv[1], Path(sys.argv[2])).source, Path(sys.argv[3]), now=NOON, tell=tell)
"""


def test_who_is_killed_leaves_no_backup_and_the_next_one_tidies_up(
    installed: Installed, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    arguments = [installed.url, str(installed.heads_path.parent), str(place)]
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, timeout=60)
    assert ended.returncode == -9
    assert backups.on(place) == []
    assert len(list(place.glob(".orion-*"))) == 1

    made = backups.make(installed.source, place, now=NOON)

    assert list(place.iterdir()) == [made.path]


def test_what_somebody_else_is_making_is_left_alone(installed: Installed, tmp_path: Path) -> None:
    """Two at once, into one folder."""
    made: list[backups.Made] = []

    def tell(what: str, _done: int, _total: int) -> None:
        if what == "compressing" and not made:
            made.append(backups.make(installed.source, tmp_path, now=later(1)))

    made.append(backups.make(installed.source, tmp_path, now=NOON, tell=tell))

    assert [backups.check(each.path, lambda *_: None).made_at for each in made] == [later(1), NOON]


def test_a_changed_byte_is_noticed_or_means_nothing(installed: Installed, tmp_path: Path) -> None:
    """In the head of the file, where gzip keeps a time that nobody reads, it means nothing."""
    made = backups.make(installed.source, tmp_path, now=NOON)
    whole = made.path.read_bytes()
    noticed = 0
    for position in (*range(20), *range(20, len(whole), len(whole) // 40)):
        content = bytearray(whole)
        content[position] ^= 1 << position % 8
        made.path.write_bytes(content)
        try:
            assert backups.check(made.path, lambda *_: None) == made.manifest
        except BackupUnusable:
            noticed += 1
    assert noticed > 40


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_file_that_broke_off_is_noticed(installed: Installed, tmp_path: Path, share: float) -> None:
    made = backups.make(installed.source, tmp_path, now=NOON)
    os.truncate(made.path, int(made.size * share))

    with pytest.raises(BackupUnusable, match="backup of Orion"):
        backups.check(made.path, lambda *_: None)


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"no tar"), gzip.compress(bytes(20_000))],
    ids=["nothing", "no archive", "no tar", "an empty tar"],
)
def test_what_is_no_backup_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "orion-main-20260212T120000Z.tar.gz"
    path.write_bytes(content)

    with pytest.raises(BackupUnusable, match="is no backup of Orion"):
        backups.manifest_of(path)
    (listed,) = backups.on(tmp_path)
    assert listed.manifest is None
    assert listed.trouble is not None


def test_what_somebody_named_is_listed_and_what_broke_off_is_told(
    installed: Installed, tmp_path: Path
) -> None:
    """What is no backup and has no name of ours is somebody else's, and not spoken of."""
    broken, whole = (backups.make(installed.source, tmp_path, now=later(each)) for each in (60, 0))
    os.truncate(broken.path, broken.size - 1)
    mine = tmp_path / "my.tar.gz"
    mine.write_bytes(whole.path.read_bytes())
    (tmp_path / "photos.tar.gz").write_bytes(gzip.compress(b"of the holidays"))
    (tmp_path / "folder.tar.gz").mkdir()
    os.mkfifo(tmp_path / "pipe.tar.gz")
    (tmp_path / "orion-main-20260101T000000Z.tar.gz").write_bytes(b"")

    found = backups.on(tmp_path)

    assert [each.path.name for each in found] == [
        broken.path.name, whole.path.name, mine.name, "orion-main-20260101T000000Z.tar.gz",
    ]  # fmt: skip
    assert found[0].trouble == f"{broken.path} is damaged: it has no end."
    assert [each.trouble for each in found[1:3]] == [None, None]
    assert found[3].trouble is not None
    assert [each.path for each in backups.of("main", tmp_path)] == [broken.path, whole.path]


def test_more_than_the_manifest_says_is_refused(installed: Installed, tmp_path: Path) -> None:
    """A part cannot be longer than it says, so a small file cannot fill a disk unsaid."""
    made = backups.make(installed.source, tmp_path, now=NOON)
    (tmp_path / "parts").mkdir()
    backups.unpack(made.path, tmp_path / "parts", lambda *_: None)
    (tmp_path / "parts" / "heads.jsonl").write_text("{}\n")
    short = made.manifest.contents["heads.jsonl"].model_copy(update={"size": 3})
    told = made.manifest.model_copy(update={"contents": made.manifest.contents | {"heads.jsonl": short}})
    archive.pack(tmp_path / "forged", told, tmp_path / "parts", lambda *_: None)

    with pytest.raises(BackupUnusable, match=r"the checksum of heads\.jsonl does not fit"):
        backups.check(tmp_path / "forged", lambda *_: None)


def test_old_backups_of_the_same_database_go_and_never_the_newest(
    installed: Installed, databases: Databases, tmp_path: Path
) -> None:
    made = [backups.make(installed.source, tmp_path, now=later(hours * 3600)) for hours in range(3)]
    foreign = tmp_path / "orion-main-20200101T000000Z.tar.gz"
    foreign.write_text("by its name only")
    renamed = tmp_path / "keep-me.tar.gz"
    renamed.write_bytes(made[0].path.read_bytes())
    other_instance = backups.make(
        backups.Source(installed.url, installed.heads_path, "second"), tmp_path, now=NOON
    )
    with databases.migrated() as url:
        other = Installed(url, tmp_path / "other")
        other.note("another database")
        other_database = backups.make(other.source, tmp_path / "other", now=NOON)
        moved = tmp_path / "orion-main-20200102T000000Z.tar.gz"
        other_database.path.rename(moved)

    gone = backups.prune(tmp_path, made[2].manifest, before=later(90 * 60))
    assert sorted(gone) == [made[0].path, made[1].path]
    assert backups.prune(tmp_path, made[2].manifest, before=later(10**6)) == []

    left = {made[2].path, foreign, renamed, other_instance.path, moved}
    assert {path for path in tmp_path.iterdir() if path.is_file()} == left


def test_a_database_without_an_audit_is_nobodys_and_nothing_is_deleted(
    databases: Databases, tmp_path: Path
) -> None:
    with databases.migrated() as url:
        source = Installed(url, tmp_path / "controller").source
        made = [backups.make(source, tmp_path, now=later(each)) for each in range(2)]
    assert backups.prune(tmp_path, made[1].manifest, before=later(10**6)) == []


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


def test_a_backup_that_is_given_up_leaves_nothing(installed: Installed, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()

    def stop(what: str, _done: int, _total: int) -> None:
        raise NotBackedUp("stopped")

    with pytest.raises(NotBackedUp, match="stopped"):
        backups.make(installed.source, place, now=NOON, tell=stop)
    assert list(place.iterdir()) == []


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
