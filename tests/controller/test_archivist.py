"""The archivist: what somebody says is archived goes, and only that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from controller.archivist import Archivist
from controller.cleaner import Cleaner
from controller.notary import Notary
from controller.services import audit, cuts
from controller.services.cuts import NothingToCut
from controller.services.retention import Keep
from controller.store import headfile
from controller.store.keyring import KeyRing
from controller.store.store import Store
from controller.store.tables import AuditEntry
from tests.factories import ADMIN, NOON, later

ARCHIVE = "a" * 64
ROWS = 10


def positions(session: Session) -> list[int | None]:
    return list(session.exec(select(AuditEntry.position).order_by(col(AuditEntry.position))))


@pytest.fixture
async def chained(store: Store) -> Store:
    """A store whose audit has a row a second from noon on."""
    rows = [partial(audit.record, action="noted", now=later(second)) for second in range(ROWS)]
    await store.write_all(rows)
    return store


@pytest.fixture
def cleaner(chained: Store, keyring: KeyRing) -> Cleaner:
    return Cleaner(chained, Keep(), keys=lambda: keyring.known, now=lambda: NOON)


@pytest.fixture
async def archivist(chained: Store, keyring: KeyRing, cleaner: Cleaner) -> AsyncIterator[Archivist]:
    made = Archivist(chained, keyring, cleaner, instance="main", now=lambda: NOON)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until_gone(store: Store, left: list[int]) -> None:
    async with asyncio.timeout(10):
        while await store.read(positions) != left:
            await asyncio.sleep(0.01)


async def test_an_offer_takes_nothing_away(chained: Store, archivist: Archivist) -> None:
    (head,) = await archivist.offer(later(4))

    assert head.position == 4
    assert await chained.read(positions) == list(range(1, ROWS + 1))
    assert await chained.read(cuts.of) == {}


async def test_what_is_archived_goes_and_that_is_on_record(chained: Store, archivist: Archivist) -> None:
    made = await archivist.cut(await archivist.offer(later(4)), ARCHIVE, actor=ADMIN)

    await until_gone(chained, list(range(5, ROWS + 2)))
    assert [(cut.instance, cut.position, cut.archive) for cut in made] == [("main", 4, ARCHIVE)]
    newest = (await chained.read(audit.entries))[0]
    assert (newest.action, newest.actor) == ("audit.archived", ADMIN.user)
    assert newest.detail == {"instance": "main", "position": 4, "sha256": ARCHIVE}


async def test_what_is_not_there_as_archived_takes_nothing_away(chained: Store, archivist: Archivist) -> None:
    (head,) = await archivist.offer(later(4))
    wrong = head.model_copy(update={"hash": "b" * 64})

    with pytest.raises(NothingToCut):
        await archivist.cut([head, wrong], ARCHIVE, actor=ADMIN)

    assert await chained.read(positions) == list(range(1, ROWS + 1))
    assert await chained.read(cuts.of) == {}


async def test_what_was_left_goes_with_the_next_cleaning(
    chained: Store, keyring: KeyRing, cleaner: Cleaner
) -> None:
    killed = Archivist(chained, keyring, cleaner, instance="main", now=lambda: NOON)
    await killed.cut(await killed.offer(later(4)), ARCHIVE, actor=ADMIN)

    assert (await cleaner.count())["audit"] == 4
    assert (await cleaner.clean())["audit"] == 4

    assert (await chained.read(positions))[0] == 5


async def test_the_notary_misses_nothing_that_is_archived(
    chained: Store, keyring: KeyRing, archivist: Archivist, tmp_path: Path
) -> None:
    notary = partial(Notary, chained, keyring, tmp_path / "heads.jsonl", instance="main", now=lambda: NOON)
    await notary().sign()  # row 10
    await chained.write(lambda session: audit.record(session, "noted", now=later(ROWS)))
    await archivist.cut(await archivist.offer(later(99)), ARCHIVE, actor=ADMIN)
    await until_gone(chained, [11, 12])

    task = asyncio.create_task(notary().run())
    async with asyncio.timeout(10):  # it signs again once it has looked back
        while len(await asyncio.to_thread(headfile.lines_of, tmp_path / "heads.jsonl")) == 1:
            await asyncio.sleep(0.01)
    task.cancel()

    assert "audit.broken" not in [row.action for row in await chained.read(audit.entries)]


async def test_a_new_key_soon_vouches_for_what_was_archived(
    chained: Store, keyring: KeyRing, archivist: Archivist, tmp_path: Path
) -> None:
    await archivist.cut(await archivist.offer(later(4)), ARCHIVE, actor=ADMIN)
    await asyncio.to_thread(keyring.rotate, settle=timedelta(0), at_once=True)

    await Notary(chained, keyring, tmp_path / "heads.jsonl", instance="main", now=lambda: NOON).sign()

    (cut,) = (await chained.read(cuts.of)).values()
    assert cut.key_id == keyring.signer.key_id
    assert cuts.is_genuine(cut)
