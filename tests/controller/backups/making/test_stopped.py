"""A backup has its name only when it is finished: what stops it leaves no half one, and what was there stays."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller.store import backups
from controller.store.backups import NotBackedUp
from tests.controller.backups.installed import Installed
from tests.databases import Databases
from tests.disks import small_disk
from tests.factories import NOON, later

LONG = 4_000_000  # characters of a row: enough for a copy that takes several steps


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


def test_a_backup_that_is_given_up_leaves_nothing(installed: Installed, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()

    def stop(what: str, _done: int, _total: int) -> None:
        raise NotBackedUp("stopped")

    with pytest.raises(NotBackedUp, match="stopped"):
        backups.make(installed.source, place, now=NOON, tell=stop)
    assert list(place.iterdir()) == []
