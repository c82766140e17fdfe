"""Whether the audit is what was recorded: every chain is walked, and the first wrong row named.

A hash tells that a row is not what it was; the rows around it, what became of it. What was
computed anew from some row on fits in itself: that is found by the signed heads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import rfc8785

from controller.services import chain, cuts
from controller.services.cuts import SignedCut
from controller.services.heads import Head, SignedHead, is_genuine

Row = Mapping[str, Any]


class Kind(StrEnum):
    """What became of a row."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    REWRITTEN = "rewritten"  # it, or one before it back to the last signed head, and all hashes behind it
    CUT = "cut"  # the end of the chain is gone


@dataclass(frozen=True, slots=True)
class Fault:
    """The first row of a chain that is not what it should be. `number` where such a row is there."""

    kind: Kind
    position: int
    number: int | None
    sentence: str


@dataclass(slots=True)
class Chain:
    """What was found of one chain."""

    instance: str
    cut: SignedCut | None = None  # behind which it begins: what is before was archived
    rows: int = 0  # position of the last row that was right
    hash: str = chain.GENESIS  # of the last row that was right
    signed: SignedHead | None = None  # the last head that fits, by a key that is believed
    fault: Fault | None = None


class Rows(Protocol):
    """Where the rows are: a database, or a file."""

    def instances(self) -> list[str]:
        """The chains that are there."""

    def cuts(self) -> Mapping[str, SignedCut]:
        """Up to where each chain was archived, as somebody says."""

    def of(self, instance: str) -> Iterator[Row]:
        """The rows of a chain, in its order."""

    def holds(self, instance: str, position: int) -> bool:
        """Whether a row with this position is anywhere in the chain."""

    def position_of(self, instance: str, hash_: str) -> int | None:
        """Where the row with this hash says that it is."""


@dataclass(slots=True)
class _Walk:
    rows: Rows
    chain: Chain
    heads: Mapping[int, Head]
    tell: Callable[[int], None]
    before: Row | None = None


def walk(
    rows: Rows,
    heads: Sequence[SignedHead],
    *,
    believed: frozenset[str],
    to_the_head: bool = False,
    tell: Callable[[int], None] = lambda _count: None,
) -> list[Chain]:
    """Every chain up to its first fault. `tell` hears how many rows were looked at.

    `to_the_head`: nothing may stand behind the last signed head, as in a file that ends with it.
    Heads by other keys than those `believed` prove nothing and are passed over.
    """
    counted = [head for head in heads if head.key_id in believed and is_genuine(head)]
    while True:
        said = rows.cuts()
        archived = {
            each.instance: each for each in said.values() if each.key_id in believed and cuts.is_genuine(each)
        }
        found = _walk_all(rows, counted, archived, tell)
        if rows.cuts() == said:  # else rows went while we looked
            break
    for each in found:
        if to_the_head and each.fault is None:
            each.fault = _unsigned(each)
    return found


def _walk_all(
    rows: Rows,
    counted: Sequence[SignedHead],
    archived: Mapping[str, SignedCut],
    tell: Callable[[int], None],
) -> list[Chain]:
    instances = sorted({*rows.instances(), *archived, *(head.instance for head in counted)})
    found = []
    for instance in instances:
        at: dict[int, Head] = {}
        cut = archived.get(instance)
        for head in (*counted, *archived.values()):
            if head.instance == instance and head.position >= (cut.position if cut else 1):
                at.setdefault(head.position, head)  # what was said first of a row holds
        one = _Walk(rows, Chain(instance, cut), at, tell)
        _walk(one)
        found.append(one.chain)
    return found


def _walk(one: _Walk) -> None:
    chain_ = one.chain
    coming = iter(one.rows.of(chain_.instance))
    row = next(coming, None)
    if chain_.cut is not None:
        _begin_behind(chain_, chain_.cut, row)
    while row is not None:
        following = next(coming, None)
        one.tell(1)
        chain_.fault = _fault(one, row, following)
        if chain_.fault is not None:
            return
        chain_.rows, chain_.hash = row["position"], row["hash"]
        head = one.heads.get(chain_.rows)
        chain_.signed = head if isinstance(head, SignedHead) else chain_.signed
        one.before, row = row, following
    last = max(one.heads, default=0)
    if last > chain_.rows:
        head = one.heads[last]
        chain_.fault = Fault(
            Kind.CUT,
            chain_.rows + 1,
            None,
            f"the rows {chain_.rows + 1} to {last} are gone from its end: "
            f"row {last} was signed on {_day(head)}",
        )


def _begin_behind(found: Chain, cut: SignedCut, first: Row | None) -> None:
    """Where the walk of a chain begins whose oldest rows were archived.

    Of those some may be left for a while. They prove themselves: the last one of them was signed.
    """
    found.rows, found.hash = cut.position, cut.hash
    position = None if first is None else first["position"]
    if first is not None and isinstance(position, int) and 1 <= position <= cut.position:
        found.rows, found.hash = position - 1, str(first.get("previous"))


def _unsigned(found: Chain) -> Fault | None:
    if found.signed is None:
        return Fault(
            Kind.REWRITTEN, found.rows, None, "its end is signed by nobody, or the signature does not fit"
        )
    if found.signed.position == found.rows:
        return None
    behind = found.signed.position + 1
    return Fault(Kind.INSERTED, behind, None, f"row {behind} stands behind the signed end")


def _fault(one: _Walk, row: Row, following: Row | None) -> Fault | None:
    expected = one.chain.rows + 1
    if not is_whole(row):
        return _of_changed(one, row, expected)
    position, number = row["position"], row["number"]
    if position > expected:
        if one.rows.holds(one.chain.instance, expected):
            return Fault(
                Kind.REORDERED, expected, number, f"row {position} stands where row {expected} belongs"
            )
        gone = (
            f"row {expected} is" if position == expected + 1 else f"the rows {expected} to {position - 1} are"
        )
        return Fault(Kind.REMOVED, expected, None, f"{gone} not there")
    if position < expected:
        return Fault(Kind.INSERTED, position, number, f"row {position} is there a second time")
    if row["previous"] != one.chain.hash:
        return _of_broken(one, row, following)
    head = one.heads.get(position)
    if head is not None and head.hash != row["hash"]:
        return _rewritten(
            one, position, number, f"row {position} is not the one that was signed on {_day(head)}"
        )
    return None


def _of_changed(one: _Walk, row: Row, expected: int) -> Fault:
    """What became of a row whose own hash does not fit."""
    position, number = row.get("position"), row.get("number")
    if not isinstance(position, int) or not isinstance(row.get("previous"), str):
        return Fault(Kind.CHANGED, expected, number, f"row {expected} does not fit its own hash")
    found = one.rows.position_of(one.chain.instance, row["previous"])
    for other in (position - 1, position + 1, (found or 0) + 1):
        if other == position or not is_whole({**row, "position": other}):
            continue
        if other == position - 1 and one.before is not None and row["previous"] != one.chain.hash:
            # it stood one place further up, behind the row before the one that is there now
            return Fault(Kind.INSERTED, other, one.before["number"], f"row {other} was put in before it")
        return Fault(Kind.REORDERED, position, number, f"what stands as row {position} was row {other}")
    return Fault(Kind.CHANGED, position, number, f"row {position} does not fit its own hash")


def _of_broken(one: _Walk, row: Row, following: Row | None) -> Fault:
    """Which of two rows is wrong that do not follow each other, each right in itself."""
    position = row["position"]
    vouched = following is not None and is_whole(following) and following["previous"] == row["hash"]
    if one.before is None:
        why = f"row {position} was not added behind what was archived"
        return _rewritten(
            one, position, row["number"], why if one.chain.cut else "row 1 does not begin the chain"
        )
    if vouched:
        before = one.before
        return _rewritten(
            one,
            before["position"],
            before["number"],
            f"row {position} was added behind another row {position - 1}",
        )
    return Fault(
        Kind.INSERTED, position, row["number"], f"row {position} was not added behind row {position - 1}"
    )


def _rewritten(one: _Walk, position: int, number: int | None, why: str) -> Fault:
    before = one.chain.signed or one.chain.cut
    first = before.position + 1 if before else 1
    if first >= position:
        return Fault(Kind.REWRITTEN, position, number, why)
    return Fault(Kind.REWRITTEN, position, number, f"{why}; rows from {first} on may have been written anew")


def _day(head: Head) -> str:
    return f"{head.at:%Y-%m-%d %H:%M:%S} UTC"


def is_whole(row: Row) -> bool:
    """Whether a row fits its own hash."""
    try:
        return bool(chain.digest(row) == row["hash"])
    except rfc8785.CanonicalizationError:
        pass
    except (KeyError, TypeError, ValueError, AttributeError):
        return False  # something that no row holds
    try:  # PostgreSQL writes a large fraction out, and it comes back as a whole number
        return bool(chain.digest({**row, "detail": _as_fractions(row["detail"])}) == row["hash"])
    except (rfc8785.CanonicalizationError, OverflowError):
        return False


def _as_fractions(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_fractions(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_as_fractions(each) for each in value]
    is_large = isinstance(value, int) and not isinstance(value, bool) and abs(value) >= chain.EXACT
    return float(value) if is_large else value
