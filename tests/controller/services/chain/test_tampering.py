"""No row of the audit can be other than it was, and none can come or go."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select
from sqlmodel import Session

from controller.services import chain, heads, proof
from controller.services.proof import Kind
from controller.store.house import HouseRules
from schemas.signing import Signer
from tests.controller.services.chain.rows import (
    LOG,
    ROWS,
    SIGNER,
    chains_in,
    change,
    forged,
    note,
    remove,
    sign,
    table,
    the_fault,
    write_anew,
)
from tests.factories import NOON

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
