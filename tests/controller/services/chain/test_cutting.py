"""The oldest rows of a chain are archived: it is proved from there on, and nothing else may be missing."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

from controller.services import cuts, heads, proof
from controller.services.cuts import NothingToCut, SignedCut
from controller.services.heads import Head
from controller.services.proof import Kind
from controller.store import upserts
from controller.store.tables import METADATA
from schemas.signing import Signer
from tests.controller.services.chain.rows import (
    BELIEVED,
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
from tests.factories import NOON, later

ARCHIVE = "a" * 64


def head_at(session: Session, position: int) -> Head:
    row = next(row for row in table(session) if row["position"] == position)
    return Head(instance="main", position=position, hash=row["hash"], at=NOON, by="main")


def cut_at(session: Session, position: int, *, signer: Signer = SIGNER) -> SignedCut:
    return cuts.cut(session, head_at(session, position), ARCHIVE, signer=signer, by="main", now=NOON)


def put(session: Session, said: dict[str, Any]) -> None:
    """Write a cut as whoever can write the database could."""
    row = {"instance": "main", "statement": said}
    upserts.put(session.connection(), METADATA.tables["audit_cuts"], row, key=["instance"])


@pytest.mark.parametrize("position", range(1, ROWS))
def test_what_stays_is_proved_wherever_it_is_cut(chained: Session, position: int) -> None:
    signed = sign(chained)
    cut_at(chained, position)
    remove(chained, *range(1, position + 1))
    note(chained, "noted later")

    found = chains_in(chained, signed)["main"]

    assert found.fault is None
    assert (found.rows, found.signed) == (ROWS + 1, signed)
    assert found.cut is not None
    assert (found.cut.position, found.cut.archive) == (position, ARCHIVE)


@pytest.mark.parametrize("gone", range(6))
def test_rows_that_have_not_gone_yet_are_proved_too(chained: Session, gone: int) -> None:
    cut_at(chained, 5)
    remove(chained, *range(1, gone + 1))

    assert the_fault(chained, sign(chained)) is None


@pytest.mark.parametrize("position", range(3, ROWS + 1))
@pytest.mark.parametrize(
    ("tamper", "kind"),
    [
        (lambda session, at: change(session, at, actor="mallory"), Kind.CHANGED),
        (lambda session, at: change(session, at, detail={"n": -1}), Kind.CHANGED),
        (lambda session, at: forged(session, at, actor="mallory"), Kind.REWRITTEN),
    ],
    ids=["one column", "the detail", "a column and its hash"],
)
def test_a_changed_row_is_found_before_and_behind_a_cut(
    chained: Session, tamper: Callable[[Session, int], None], kind: Kind, position: int
) -> None:
    signed = sign(chained)
    cut_at(chained, 6)
    remove(chained, 1, 2)
    tamper(chained, position)

    found = the_fault(chained, signed)

    assert found is not None
    assert found[0] in {kind, Kind.REWRITTEN, Kind.INSERTED}
    assert found[1] in {position, position + 1}


def test_a_row_that_is_gone_behind_a_cut_is_missed(chained: Session) -> None:
    signed = sign(chained)
    cut_at(chained, 5)
    remove(chained, *range(1, 8))

    assert the_fault(chained, signed) == (Kind.REMOVED, 6)


def test_a_chain_that_is_computed_anew_behind_a_cut_is_found(chained: Session) -> None:
    signed = sign(chained)
    cut_at(chained, 5)
    change(chained, 8, actor="mallory")
    write_anew(chained, 8)

    found = the_fault(chained, signed)
    assert found is not None
    assert found[0] == Kind.REWRITTEN


def test_everything_behind_a_cut_is_missed(chained: Session) -> None:
    signed = sign(chained)
    cut_at(chained, 5)
    remove(chained, *range(1, ROWS + 1))

    assert the_fault(chained, signed) == (Kind.CUT, 6)


def of_somebody_else(session: Session) -> dict[str, Any]:
    return cut_at(session, 5, signer=Signer.generate()).model_dump(mode="json")


def of_a_head(session: Session) -> dict[str, Any]:
    """A head that the controller did sign, told as a cut."""
    row = head_at(session, 5)
    vouched = heads.vouch(row, SIGNER, heads.PURPOSE)
    return row.model_dump(mode="json") | vouched.model_dump() | {"begins": 1, "archive": ARCHIVE}


def moved(session: Session) -> dict[str, Any]:
    later_row = head_at(session, 5)
    return cut_at(session, 4).model_dump(mode="json") | {"position": 5, "hash": later_row.hash}


def of_another_chain(session: Session) -> dict[str, Any]:
    return cut_at(session, 5).model_dump(mode="json") | {"instance": "other"}


@pytest.mark.parametrize(
    "forgery", [of_somebody_else, of_a_head, moved, of_another_chain, lambda _: {"position": 5}, lambda _: []]
)
def test_nobody_else_can_cut(chained: Session, forgery: Callable[[Session], Any]) -> None:
    signed = sign(chained)
    put(chained, forgery(chained))
    remove(chained, *range(1, 6))

    assert the_fault(chained, signed) == (Kind.REMOVED, 1)
    assert cuts.rules(chained, believed=BELIEVED) == []


def test_an_earlier_cut_does_not_hide_what_a_later_one_took(chained: Session) -> None:
    first = cut_at(chained, 3)
    cut_at(chained, 6)
    remove(chained, *range(1, 7))
    put(chained, first.model_dump(mode="json"))

    assert the_fault(chained, sign(chained)) == (Kind.REMOVED, 4)


def test_a_row_in_no_chain_is_found_among_the_numbers_that_were_archived(chained: Session) -> None:
    number = table(chained)[3]["number"]
    cut_at(chained, 5)
    remove(chained, 1, 2, 3)
    change(chained, 4, instance=None)

    assert proof.unchained(chained).first_stray == number


@pytest.mark.parametrize(
    "wrong",
    [
        lambda session: head_at(session, ROWS),  # the last: the next one would stand on nothing
        lambda session: head_at(session, 4),  # archived before
        lambda session: head_at(session, 7).model_copy(update={"hash": "b" * 64}),
        lambda session: head_at(session, 7).model_copy(update={"position": 99}),
        lambda session: head_at(session, 7).model_copy(update={"instance": "other"}),
    ],
)
def test_only_what_is_there_can_be_cut(chained: Session, wrong: Callable[[Session], Head]) -> None:
    cut_at(chained, 5)
    asked = wrong(chained)

    with pytest.raises(NothingToCut):
        cuts.cut(chained, asked, ARCHIVE, signer=SIGNER, by="main", now=NOON)


@pytest.mark.parametrize(("after", "position"), [(0, None), (1, 1), (5, 5), (11, 11), (99, ROWS - 1)])
def test_what_is_older_may_go_but_never_the_last_row(
    chained: Session, after: int, position: int | None
) -> None:
    # row n was noted n - 1 seconds after noon
    rows = cuts.before(chained, NOON + timedelta(seconds=after))

    assert [row.position for row in rows] == ([] if position is None else [position])


def test_a_row_whose_clock_was_ahead_keeps_what_is_behind_it(chained: Session) -> None:
    change(chained, 4, at=later(1_000))

    assert [row.position for row in cuts.before(chained, later(100))] == [3]


def test_what_is_archived_is_not_offered_again(chained: Session) -> None:
    cut_at(chained, 5)

    assert cuts.before(chained, later(5)) == []
    assert [row.position for row in cuts.before(chained, later(7))] == [7]


def test_archives_are_proved_each_by_itself(chained: Session, tmp_path: Path) -> None:
    stored = proof.Stored(lambda: nullcontext(chained))
    for name, until in (("first", 5), ("second", 9)):
        signed = heads.sign(cuts.before(chained, later(until)), SIGNER, by="main", now=NOON)
        lines = proof.lines(stored, signed)
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        cut_at(chained, until)

    for name, first, last in (("first", 1, 5), ("second", 6, 9)):
        exported = proof.Exported(tmp_path / name)
        (found,) = proof.walk(exported, exported.heads, believed=BELIEVED, to_the_head=True)
        assert found.fault is None
        assert [row["position"] for row in exported.of("main")] == list(range(first, last + 1))


def test_a_new_key_signs_anew_what_was_cut(chained: Session) -> None:
    old = cut_at(chained, 5)
    key = Signer.generate()

    assert cuts.renewed(chained, signer=key, believed=frozenset({"another"})) == []
    fresh = cuts.renewed(chained, signer=key, believed=BELIEVED)
    cuts.keep(chained, fresh)

    (kept,) = cuts.of(chained).values()
    assert (kept.position, kept.begins, kept.at, kept.key_id) == (5, old.begins, old.at, key.key_id)
    assert cuts.is_genuine(kept)
    assert cuts.renewed(chained, signer=key, believed=BELIEVED) == []
