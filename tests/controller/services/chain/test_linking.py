"""The chain of the audit has no hole, whatever rolls back, ends or begins anew."""

import asyncio
import hashlib
from typing import Any

import pytest
import rfc8785
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlmodel import Session, text

from controller.services import chain, proof
from controller.store import engine, migrate
from controller.store.house import HouseRules
from controller.store.store import Store, StoreFailed
from controller.store.tables import Message
from tests.controller.services.chain.rows import (
    JSON,
    LOG,
    ROWS,
    WORDS,
    chains_in,
    failing,
    note,
    noting,
    table,
    the_fault,
)
from tests.databases import Databases
from tests.factories import NOON, later


def test_rows_follow_each_other_from_one_without_holes(chained: Session) -> None:
    rows = table(chained)

    assert [row["position"] for row in rows] == list(range(1, ROWS + 1))
    assert [row["previous"] for row in rows] == [chain.GENESIS, *(row["hash"] for row in rows[:-1])]
    assert the_fault(chained) is None


@given(detail=st.none() | st.dictionaries(WORDS, JSON, max_size=3), word=WORDS)
def test_a_hash_is_of_the_rfc_8785_form_of_the_whole_row(detail: Any, word: str) -> None:
    empty: dict[str, Any] = dict.fromkeys(chain.CONTENT)
    row = empty | {
        "at": chain.moment(NOON),
        "actor": word,
        "number": 7,
        "detail": detail,
    }
    whole = rfc8785.dumps(row)

    assert chain.canonical(row) == whole
    assert chain.digest(row) == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        -(2**70),
        float("inf"),
        float("nan"),
        "half \ud800",
        "nothing \0",
        "C:\\u0000",
        1e22,
        1.5e300,
        -0.0,
        5.0,
        1e-7,
        {"a": [2**60]},
    ],
)
def test_what_json_cannot_carry_exactly_is_recorded_all_the_same(session: Session, value: Any) -> None:
    note(session, detail={"value": value})

    assert chains_in(session)["main"].rows == 1


def test_a_row_has_the_same_hash_on_every_database(session: Session) -> None:
    note(session, "one\0", device_id="a\0b", detail={"\0": ["\0"], "path": "C:\\u0000"})

    (row,) = table(session)
    assert (row["action"], row["device_id"]) == ("one␀", "a␀b")
    assert row["detail"] == {"␀": ["␀"], "path": "C:\\u0000"}
    assert the_fault(session) is None


def test_a_savepoint_that_is_undone_was_never_in_the_chain(session: Session) -> None:
    note(session, "one")
    with session.begin_nested() as point:
        note(session, "undone")
        point.rollback()
    with session.begin_nested():
        note(session, "two")
    note(session, "three")

    assert [row["action"] for row in table(session)] == ["one", "two", "three"]
    assert chains_in(session)["main"].rows == 3


async def test_units_that_roll_back_in_a_batch_leave_no_hole(store: Store) -> None:
    works = [noting("one"), failing, noting("two"), failing, failing, noting("three")]
    for _ in range(3):
        await store.write_all(works)

    assert [row["position"] for row in await store.read(table)] == list(range(1, 10))
    assert await store.read(the_fault) is None


async def test_a_commit_that_fails_leaves_no_hole(store: Store) -> None:
    def breaks_at_commit(session: Session) -> None:
        note(session, "lost")
        connection = session.connection()
        if connection.dialect.name == engine.SQLITE:
            connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        else:
            connection.execute(
                text(
                    "ALTER TABLE messages ALTER CONSTRAINT messages_session_id_fkey DEFERRABLE INITIALLY DEFERRED"
                )
            )
        session.add(Message(id="m", session_id="nowhere", role="user", content="", created_at=NOON))

    await store.write(noting("one"))
    with pytest.raises(StoreFailed):
        await store.write(breaks_at_commit)
    await store.write(noting("two"))

    assert [row["action"] for row in await store.read(table)] == ["one", "two"]
    assert await store.read(the_fault) is None


async def opened(url: str, instance: str) -> Store:
    store = await asyncio.to_thread(Store, url, HouseRules(instance=instance))
    await asyncio.to_thread(store.open)
    return store


async def test_a_chain_goes_on_after_a_restart(database_url: str) -> None:
    for life in range(3):
        store = await opened(database_url, "main")
        await store.write(noting(f"life.{life}"))
        found = await store.read(table)
        await asyncio.to_thread(store.close)

    assert [row["position"] for row in found] == [1, 2, 3]


@pytest.mark.parametrize("names", [("main", "other"), ("main", "main")], ids=["two names", "one name"])
async def test_two_controllers_at_once_make_whole_chains(database_url: str, names: tuple[str, str]) -> None:
    stores = [await opened(database_url, name) for name in names]
    works = [noting("one"), failing, noting("two")]
    await asyncio.gather(*(store.write_all(works) for _ in range(20) for store in stores))

    found = await stores[0].read(chains_in)
    for store in stores:
        await asyncio.to_thread(store.close)
    assert {name: (each.rows, each.fault) for name, each in found.items()} == {
        name: (40 * names.count(name), None) for name in names
    }


def test_rows_of_an_earlier_release_stay_and_the_chain_begins_behind_them(databases: Databases) -> None:
    with databases.empty() as url:
        writer = engine.writer(url)
        command.upgrade(migrate.configuration(writer), "0008")
        with writer.begin() as connection:
            for number in range(3):
                connection.execute(
                    insert(LOG), {"at": later(number), "actor": "ada", "via": "api", "action": "old"}
                )
        migrate.upgrade(writer)
        with Session(writer) as session, session.begin():
            note(session, "new")
            loose, found = proof.unchained(session), chains_in(session)["main"]
        writer.dispose()

    assert (loose.earlier, loose.first_stray) == (3, None)
    assert (found.rows, found.fault) == (1, None)
