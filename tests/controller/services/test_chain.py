"""The chain of the audit: without holes whatever rolls back, and no row of it can be other than it was."""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import rfc8785
from alembic import command
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, update
from sqlmodel import Session, text

from controller.errors import Refused
from controller.services import audit, chain, heads, proof
from controller.services.heads import SignedHead
from controller.services.proof import Kind
from controller.store import engine, migrate
from controller.store.house import HouseRules
from controller.store.store import Store, StoreFailed
from controller.store.tables import METADATA, Message
from schemas.signing import Signer
from tests.databases import Databases
from tests.factories import ADMIN, NOON, later

LOG = METADATA.tables["audit_log"]
ROWS = 12
SIGNER = Signer.generate()
BELIEVED = frozenset({SIGNER.key_id})
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=70)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(1 - 2**53, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def note(session: Session, action: str = "noted", **fields: Any) -> None:
    audit.record(session, action, now=fields.pop("now", NOON), actor=ADMIN, **fields)


def noting(action: str) -> Callable[[Session], None]:
    return partial(note, action=action)


def failing(session: Session) -> None:
    note(session, "undone")
    note(session, "undone too")
    raise Refused("no")


def table(session: Session) -> list[dict[str, Any]]:
    run = session.connection().execute
    return [dict(row) for row in run(select(LOG).order_by(LOG.c.instance, LOG.c.position)).mappings()]


def chains_in(session: Session, *signed: SignedHead) -> dict[str, proof.Chain]:
    found = proof.walk(proof.Stored(lambda: nullcontext(session)), signed, believed=BELIEVED)
    return {each.instance: each for each in found}


def the_fault(session: Session, *signed: SignedHead) -> tuple[Kind, int] | None:
    fault = chains_in(session, *signed)["main"].fault
    return None if fault is None else (fault.kind, fault.position)


def sign(session: Session) -> SignedHead:
    return heads.sign(heads.ends(session), SIGNER, by="main", now=NOON)[0]


def change(session: Session, position: int, /, **values: Any) -> None:
    of_main = (LOG.c.instance == "main") & (LOG.c.position == position)
    session.connection().execute(update(LOG).where(of_main).values(**values))


def forged(session: Session, position: int, /, **values: Any) -> None:
    """Change a row, and its hash with it."""
    row = next(row for row in table(session) if row["position"] == position) | values
    change(session, position, **values, hash=chain.digest(row))


def remove(session: Session, *positions: int) -> None:
    session.connection().execute(delete(LOG).where(LOG.c.position.in_(positions)))


def write_anew(session: Session, first: int) -> None:
    """Compute every hash from a row on as whoever can write the database could."""
    rows = table(session)
    before = rows[first - 2]["hash"] if first > 1 else chain.GENESIS
    for row in rows[first - 1 :]:
        forged(session, row["position"], previous=before)
        before = next(each["hash"] for each in table(session) if each["position"] == row["position"])


@pytest.fixture
def chained(session: Session) -> Session:
    for number in range(ROWS):
        note(
            session,
            f"noted.{number}",
            now=later(number),
            device_id="laptop",
            approval_id="a",
            trace_id="t",
            detail={"n": number, "share": 0.5},
        )
    return session


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


OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "at": st.integers(min_value=1, max_value=10**12).map(
        lambda micros: NOON - timedelta(microseconds=micros)
    ),
    "number": st.integers(min_value=-1000, max_value=-1) | st.integers(min_value=10**6, max_value=2**31 - 1),
    "position": st.none()
    | st.integers(min_value=-1000, max_value=0)
    | st.integers(min_value=ROWS + 1, max_value=9999),
    "detail": st.none() | st.dictionaries(st.text("abc", max_size=3), st.integers(0, 9), max_size=2),
}
KEPT_WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=70)
NEVER_NULL = {"number", "at", "actor", "via", "action"}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), position=st.integers(min_value=1, max_value=ROWS))
def test_every_change_of_any_column_is_found_and_its_row_named(
    chained: Session, data: st.DataObject, position: int
) -> None:
    column = data.draw(st.sampled_from([each.name for each in LOG.columns]))
    words = KEPT_WORDS if column in NEVER_NULL else st.none() | KEPT_WORDS
    value = data.draw(OTHERS.get(column, words))
    row = next(row for row in table(chained) if row["position"] == position)
    assume(value != row[column])
    with chained.begin_nested() as point:
        change(chained, position, **{column: value})
        found = chains_in(chained)
        stray = proof.unchained(chained).first_stray
        point.rollback()

    number = value if column == "number" else row["number"]
    main = found["main"].fault
    named = {each.fault.number for each in found.values() if each.fault} | {stray}
    assert number in named or (main is not None and main.position == position), (column, value, found, stray)


@pytest.mark.parametrize("position", [1, 2, 7, ROWS - 1])
def test_a_row_that_was_removed_is_named(chained: Session, position: int) -> None:
    remove(chained, position)

    assert the_fault(chained) == (Kind.REMOVED, position)


def test_rows_that_closed_up_over_a_gap_are_found_there(chained: Session) -> None:
    remove(chained, 5)
    for position in range(6, ROWS + 1):
        change(chained, position, position=position - 1)

    assert the_fault(chained) == (Kind.REORDERED, 5)


def test_a_row_that_was_put_in_is_named(chained: Session) -> None:
    rows = table(chained)
    for position in range(ROWS, 5, -1):
        change(chained, position, position=position + 1)
    false = rows[5] | {"number": 5000, "action": "never.happened"}
    chained.connection().execute(insert(LOG), false | {"hash": chain.digest(false)})

    assert the_fault(chained) == (Kind.INSERTED, 6)


def test_a_row_that_was_put_in_without_a_place_is_named(chained: Session) -> None:
    false = {"number": 5000, "at": NOON, "actor": "ada", "via": "api", "action": "never.happened"}
    chained.connection().execute(insert(LOG), false)

    assert proof.unchained(chained).first_stray == 5000


def test_a_row_that_was_added_at_the_end_without_its_forerunner_is_named(chained: Session) -> None:
    false = table(chained)[-1] | {"number": 5000, "position": ROWS + 1, "previous": "ab" * 32}
    chained.connection().execute(insert(LOG), false | {"hash": chain.digest(false)})

    assert the_fault(chained) == (Kind.INSERTED, ROWS + 1)


@pytest.mark.parametrize(("one", "other"), [(1, 2), (4, 5), (3, 9), (1, ROWS)])
def test_rows_that_changed_places_are_found_at_the_first(chained: Session, one: int, other: int) -> None:
    change(chained, one, position=-1)
    change(chained, other, position=one)
    change(chained, -1, position=other)

    assert the_fault(chained) == (Kind.REORDERED, one)


def test_a_row_that_was_changed_together_with_its_hash_is_named(chained: Session) -> None:
    forged(chained, 5, actor="mallory")

    assert the_fault(chained) == (Kind.REWRITTEN, 5)


def test_a_chain_without_its_end_fits_in_itself_and_a_signed_head_finds_it(chained: Session) -> None:
    head = sign(chained)
    remove(chained, ROWS - 1, ROWS)

    assert the_fault(chained) is None
    assert the_fault(chained, head) == (Kind.CUT, ROWS - 1)


def test_a_chain_that_is_gone_altogether_is_found_by_its_signed_head(chained: Session) -> None:
    head = sign(chained)
    remove(chained, *range(1, ROWS + 1))

    assert the_fault(chained, head) == (Kind.CUT, 1)


def test_a_chain_that_was_computed_anew_is_found_by_its_signed_head(chained: Session) -> None:
    head = sign(chained)
    change(chained, 5, actor="mallory")
    write_anew(chained, 5)

    assert the_fault(chained) is None
    assert the_fault(chained, head) == (Kind.REWRITTEN, ROWS)


def test_a_head_that_somebody_else_signed_or_that_was_changed_proves_nothing(chained: Session) -> None:
    head = sign(chained)
    (stranger,) = heads.sign(heads.ends(chained), Signer.generate(), by="main", now=NOON)
    moved = head.model_copy(update={"position": ROWS + 5})

    assert heads.is_genuine(head)
    assert heads.is_genuine(stranger)
    assert not heads.is_genuine(moved)
    assert not heads.is_genuine(head.model_copy(update={"key_id": stranger.key_id}))
    assert the_fault(chained, moved, stranger.model_copy(update={"position": ROWS + 9})) is None
    assert chains_in(chained, stranger)["main"].signed is None
    assert chains_in(chained, head)["main"].signed == head


def test_every_instance_is_signed_for(session: Session) -> None:
    for instance, rows in (("main", 2), ("other", 3)):
        session.info.update(HouseRules(instance=instance).known_in())
        for _ in range(rows):
            note(session)

    signed = heads.sign(heads.ends(session), SIGNER, by="main", now=NOON)

    assert [(head.instance, head.position, head.by) for head in signed] == [
        ("main", 2, "main"),
        ("other", 3, "main"),
    ]
    assert session.connection().execute(select(func.count()).select_from(LOG)).scalar_one() == 5
