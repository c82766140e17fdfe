"""The notary: what it signs is kept, and found again by the next life."""

import asyncio
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlmodel import Session, col

from controller.notary import Notary
from controller.services import audit, heads
from controller.services.heads import SignedHead
from controller.store import headfile
from controller.store.keyring import KeyRing
from controller.store.notices import Notice
from controller.store.store import Store, StoreFailed
from controller.store.tables import AuditEntry
from tests.factories import NOON


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "heads.jsonl"


@pytest.fixture
def new_life(store: Store, keyring: KeyRing, path: Path) -> Callable[..., Notary]:
    return partial(Notary, store, keyring, path, instance="main", now=lambda: NOON)


@asynccontextmanager
async def at_work(store: Store, notary: Notary) -> AsyncIterator[None]:
    def hear(heard: list[Notice]) -> None:
        for notice in heard:
            notary.hear(notice)

    store.listen(hear)
    task = asyncio.create_task(notary.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def noted(session: Session) -> None:
    audit.record(session, "noted", now=NOON)


def actions(session: Session) -> list[str]:
    return [row.action for row in audit.entries(session)]


def kept(path: Path) -> list[SignedHead]:
    return heads.read(headfile.lines_of(path))[0]


def rows_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT count(*) FROM audit_log").fetchone()[0])


async def until_signed(path: Path, *positions: int) -> None:
    async with asyncio.timeout(10):
        while [head.position for head in await asyncio.to_thread(kept, path)] != list(positions):
            await asyncio.sleep(0.01)


async def test_the_first_row_is_signed_at_once_and_then_every_so_many(
    store: Store, path: Path, new_life: Callable[..., Notary]
) -> None:
    async with at_work(store, new_life(sign_after_rows=5)):
        await store.write(noted)
        await until_signed(path, 1)
        await store.write_all([noted] * 5)
        await until_signed(path, 1, 6)


async def test_it_signs_after_a_while_whatever_came(
    store: Store, path: Path, new_life: Callable[..., Notary]
) -> None:
    await store.write(noted)
    async with at_work(store, new_life(sign_after_s=0.05)):
        await until_signed(path, 1)
        await store.write(noted)
        await until_signed(path, 1, 2)


@pytest.mark.parametrize("action", ["keys.rotated", "audit.archived"])
async def test_it_signs_at_once_when_older_signatures_lose_their_worth(
    store: Store, path: Path, new_life: Callable[..., Notary], action: str
) -> None:
    await store.write(noted)
    async with at_work(store, new_life()):
        await until_signed(path, 1)
        await store.write(lambda session: audit.record(session, action, now=NOON))
        await until_signed(path, 1, 2)


async def test_the_last_rows_are_signed_at_the_end_and_nothing_twice(
    store: Store, path: Path, new_life: Callable[..., Notary]
) -> None:
    notary = new_life()
    await store.write(noted)

    await notary.close()
    await notary.close()

    (head,) = await asyncio.to_thread(kept, path)
    assert heads.is_genuine(head)
    assert (head.instance, head.position, head.by, head.at) == ("main", 1, "main", NOON)
    assert stat.S_IMODE((await asyncio.to_thread(path.stat)).st_mode) == 0o600


async def test_a_new_key_signs_the_end_again(
    store: Store, path: Path, keyring: KeyRing, new_life: Callable[..., Notary]
) -> None:
    notary = new_life()
    await store.write(noted)
    await notary.sign()
    await asyncio.to_thread(keyring.rotate, settle=timedelta(0), at_once=True)

    await notary.sign()

    assert len({head.key_id for head in await asyncio.to_thread(kept, path)}) == 2


async def test_a_chain_that_was_shortened_meanwhile_is_told_at_the_start(
    store: Store, path: Path, new_life: Callable[..., Notary], caplog: pytest.LogCaptureFixture
) -> None:
    await store.write_all([noted] * 3)
    await new_life().close()
    await store.write(
        lambda session: (
            session.connection().execute(delete(AuditEntry).where(col(AuditEntry.position) == 3)) and None
        )
    )

    async with at_work(store, new_life()):
        await until_signed(path, 3, 3)

    assert await store.read(actions) == ["audit.broken", "noted", "noted"]
    assert "not what was signed at row 3" in caplog.text


async def test_a_chain_that_is_whole_is_not_complained_of_at_the_start(
    store: Store, path: Path, new_life: Callable[..., Notary]
) -> None:
    await store.write(noted)
    await new_life().close()

    async with at_work(store, new_life(sign_after_s=0.02)):
        await store.write(noted)
        await until_signed(path, 1, 2)

    assert await store.read(actions) == ["noted", "noted"]


async def test_what_is_signed_has_reached_the_disk(
    store: Store, new_life: Callable[..., Notary], tmp_path: Path
) -> None:
    await store.write(noted)
    await new_life().sign()

    if store.url.startswith("sqlite"):  # a server flushes with each COMMIT
        alone = tmp_path / "without_its_log.db"
        await asyncio.to_thread(shutil.copyfile, store.url.removeprefix("sqlite:///"), alone)
        assert await asyncio.to_thread(rows_in, alone) == 1


async def test_a_file_that_cannot_be_written_is_said_and_does_not_stop_the_program(
    store: Store, path: Path, new_life: Callable[..., Notary], caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(path.mkdir)
    await store.write(noted)
    notary = new_life()

    with pytest.raises(StoreFailed, match="could not be written now"):
        await notary.sign()
    await notary.close()

    assert "could not be signed" in caplog.text


def test_a_line_that_broke_off_spoils_no_other(path: Path) -> None:
    headfile.append(path, ["one", "two"])
    with path.open("a", encoding="utf-8") as file:
        file.write('{"inst')
    headfile.append(path, ["three"])

    assert headfile.lines_of(path) == ["one", "two", '{"inst', "three"]
    assert heads.read(headfile.lines_of(path)) == ([], 4)


def test_without_a_file_nothing_was_signed(path: Path) -> None:
    assert headfile.lines_of(path) == []
