"""A database that is moved is the same one afterwards, whatever ends the move in the middle of it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from controller.store import engine, migrate, moving
from controller.store.ledger import Overtaken, Unfinished
from controller.store.tables import METADATA
from tests.controller.store.moving import odd
from tests.controller.store.moving.ends import Ends, a_user, change, opened, quiet, stopped_in
from tests.databases import POSTGRESQL, SQLITE, Databases, Files, Server
from tests.disks import small_disk
from tests.postgres import cluster

TABLES = METADATA.tables
ROOT = Path(__file__).parents[4]


def test_killed_behind_every_batch_it_ends_the_same(ends: Ends) -> None:
    environment = os.environ | {"FROM": ends.url(ends.source), "TO": ends.url(ends.target)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.controller.store.moving.mover", "3"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(TABLES) * odd.ROWS // 3 + 1
    assert odd.contents(ends.target) == odd.contents(ends.source)


def test_a_move_that_ended_before_it_was_compared_goes_on_there(ends: Ends) -> None:
    ends.copy()

    ends.move()

    assert odd.contents(ends.target) == odd.contents(ends.source)
    with pytest.raises(moving.NotEmpty):
        ends.copy()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE users SET role = 'x' WHERE username LIKE '0%'", "users holds other rows"),
        ("DELETE FROM metrics WHERE seconds = 1", "metrics had 6 rows and has 5"),
    ],
)
def test_a_source_that_changed_meanwhile_is_not_mixed_with_what_it_was(
    ends: Ends, statement: str, said: str
) -> None:
    last = METADATA.sorted_tables[-1].name
    with stopped_in(ends, last):
        change(ends.source, text(statement))

    with pytest.raises(moving.SourceChanged, match=said):
        ends.copy()


def test_a_target_in_the_middle_of_a_move_is_nobodys_database(ends: Ends) -> None:
    with stopped_in(ends, "users"):
        pass

    with pytest.raises(Unfinished, match="run the same `orion db move` again"):
        migrate.prepare(ends.target)
    with pytest.raises(Unfinished):
        moving.check_source(ends.target)


def test_of_two_that_move_at_once_one_goes_on(ends: Ends) -> None:
    done: list[moving.Copied] = []

    def tell(_table: str, _rows: int) -> None:
        if not done:
            done.append(ends.copy())  # a second one, which finds an unfinished move

    with pytest.raises(Overtaken):
        ends.copy(tell)

    (copied,) = done
    moving.check(ends.target, copied.entries, tell=quiet)
    moving.finish(ends.target, run=copied.run)
    assert odd.contents(ends.target) == odd.contents(ends.source)


async def test_a_full_disk_ends_a_move_that_goes_on_once_there_is_room(
    tmp_path: Path, postgresql_databases: Databases
) -> None:
    async with small_disk(tmp_path / "disk") as disk:
        with postgresql_databases.migrated() as url:
            source = await asyncio.to_thread(engine.writer, url)
            target = await asyncio.to_thread(engine.writer, engine.sqlite_url(disk.path / "orion.db"))
            ends = Ends(source, target)
            await asyncio.to_thread(
                change, source, insert(TABLES["users"]).values([a_user(n) for n in range(9)])
            )
            await asyncio.to_thread(migrate.upgrade, target)
            await asyncio.to_thread(engine.empty_log, target)
            await disk.fill()
            with pytest.raises(moving.TargetUnusable, match="full"):
                await asyncio.to_thread(ends.move)
            await disk.free()
            await asyncio.to_thread(ends.move)
            after, before = [await asyncio.to_thread(odd.contents, each) for each in (target, source)]
            source.dispose()
            target.dispose()
    assert after == before


@pytest.mark.parametrize("moved", [SQLITE, POSTGRESQL], ids=["target", "source"])
def test_a_server_that_goes_away_ends_a_move_that_goes_on_once_it_is_back(tmp_path: Path, moved: str) -> None:
    """`moved`: from this kind to the other; the server is what goes away."""
    with cluster() as running:
        kinds: dict[str, Databases] = {SQLITE: Files(tmp_path), POSTGRESQL: Server(running)}
        source, target = kinds.pop(moved), *kinds.values()
        with (
            source.migrated() as from_url,
            target.empty() as to_url,
            opened(from_url) as before,
            opened(to_url) as after,
        ):
            odd.fill(before)
            ends = Ends(before, after)
            with pytest.raises((moving.SourceUnusable, moving.TargetUnusable)):
                ends.copy(lambda table, _: running.stop() if table == "users" else None)
            running.start()
            ends.move()
            assert odd.contents(after) == odd.contents(before)
        for each in (source, target):
            each.writer.dispose()
