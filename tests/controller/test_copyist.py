"""The copyist makes a backup when one is due, keeps what is young, and says what it could not do."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from controller.copyist import Copyist, Plan
from controller.services import audit
from controller.store import backups
from controller.store.backups import Source
from controller.store.store import Store
from tests.factories import NOON, later

DAY = 86_400.0


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def source(database_url: str, tmp_path: Path) -> Source:
    return Source(database_url, tmp_path / "heads.jsonl", "main")


def copyist(
    store: Store, source: Source, place: Path, moment: list[datetime], *, keep_days: int = 2
) -> Copyist:
    return Copyist(store, source, Plan.of(place, hours=24, keep_days=keep_days), now=lambda: moment[0])


async def names(place: Path) -> list[str]:
    found = await asyncio.to_thread(backups.on, place)
    return [each.path.name[11:19] for each in found]


async def said(store: Store) -> list[str]:
    return [row.action for row in await store.read(audit.entries)]


async def test_a_backup_is_made_when_the_last_one_is_old_enough(
    store: Store, source: Source, place: Path
) -> None:
    moment = [NOON]
    keeper = copyist(store, source, place, moment)

    assert await keeper.back_up_if_due() is not None
    moment[0] = later(DAY / 2)
    assert await keeper.back_up_if_due() is None
    moment[0] = later(DAY)
    assert await keeper.back_up_if_due() is not None

    assert await names(place) == ["20260213", "20260212"]
    assert await said(store) == ["store.backed_up", "store.backed_up"]


async def test_a_restart_neither_forgets_nor_repeats_one(store: Store, source: Source, place: Path) -> None:
    await copyist(store, source, place, [NOON]).back_up_if_due()

    assert await copyist(store, source, place, [later(3600)]).back_up_if_due() is None
    assert await copyist(store, source, place, [later(DAY)]).back_up_if_due() is not None


async def test_a_clock_that_was_wrong_does_not_keep_one_from_being_made(
    store: Store, source: Source, place: Path
) -> None:
    await copyist(store, source, place, [later(1000 * DAY)]).back_up_if_due()

    assert await copyist(store, source, place, [NOON]).back_up_if_due() is not None


async def test_old_ones_go_when_a_new_one_is_there(store: Store, source: Source, place: Path) -> None:
    await store.write(lambda session: audit.record(session, "begun", now=NOON))
    moment = [NOON]
    keeper = copyist(store, source, place, moment)
    for day in range(5):
        moment[0] = later(day * DAY)
        await keeper.back_up_if_due()

    assert await names(place) == ["20260216", "20260215", "20260214"]


async def test_what_cannot_be_done_is_recorded_once_and_tried_again(
    store: Store, source: Source, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(place.write_text, "a file where the folder should be")
    keeper = copyist(store, source, place, [NOON])

    for _ in range(3):
        assert await keeper.back_up_if_due() is None
    assert await said(store) == ["store.backup_failed"]
    assert caplog.text.count("No backup was made") == 3

    await asyncio.to_thread(place.unlink)
    assert await keeper.back_up_if_due() is not None
    assert await said(store) == ["store.backed_up", "store.backup_failed"]


async def test_a_controller_that_stops_does_not_wait_for_a_backup(
    store: Store, source: Source, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = copyist(store, source, place, [NOON])
    keeper.stop()

    assert await keeper.back_up_if_due() is None
    assert await asyncio.to_thread(lambda: list(place.iterdir())) == []
    assert await said(store) == []
    assert caplog.text == ""


async def test_who_wants_none_gets_none(store: Store, source: Source, place: Path) -> None:
    for plan in (Plan.of(None, hours=24, keep_days=1), Plan.of(place, hours=0, keep_days=1)):
        assert plan is None
        assert await Copyist(store, source, plan).back_up_if_due() is None
    assert not await asyncio.to_thread(place.exists)


def test_how_long_is_told_in_days_and_for_ever_by_nought(place: Path) -> None:
    assert Plan.of(place, hours=6, keep_days=0) == Plan(place, timedelta(hours=6), None)
