"""The rows of one database into an empty one: in the order of their keys, a batch a transaction.

Whatever ends the program, the same call goes on behind the last batch that is there; before that it makes sure
that the source still holds what was taken from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import uuid4

from sqlalchemy import Connection, Engine

from controller.errors import Conflict
from controller.store import ledger, migrate
from controller.store.ledger import Entry
from controller.store.moving.ends import (
    FETCHED,
    SourceUnusable,
    TargetUnusable,
    Tell,
    counted,
    is_new,
    reading,
    refuse_rows,
    rows_of,
    snapshot,
    writing,
)
from controller.store.moving.forms import Fitted, Form
from controller.store.tables import METADATA

AT_ONCE = 2_000  # rows in a transaction
SIZE_AT_ONCE = 4_000_000  # characters in one, about
MODULUS = 2**256  # hashes are added up within it: the two sort differently, and a sum has no order


class SourceChanged(Conflict):
    """The source does not hold any more what was taken from it."""

    def __init__(self, source: str, found: str) -> None:
        super().__init__(
            f"The target holds an unfinished move of {source}, and what is to be moved now is not what that was: "
            f"{found}. Begin anew, with an empty database."
        )


@dataclass(frozen=True, slots=True)
class Copied:
    """Of each table, how far it is, and whose move that is."""

    run: str
    entries: Mapping[str, Entry]


def copy(
    source: Engine, target: Engine, *, place: str, now: datetime, tell: Tell, at_once: int = AT_ONCE
) -> Copied:
    """Bring all rows, or those that an earlier run did not. `place` is the source as a person is told it.

    Raises:
        NotEmpty: the target has rows that are of no move.
        SourceChanged: they are of another source, or of this one as it was.
        SourceUnusable, TargetUnusable, Damaged: a database does not do its part now.
        Overtaken: another program goes on with this move.
    """
    with reading(TargetUnusable):
        if is_new(target):
            migrate.upgrade(target)
    run = uuid4().hex
    with snapshot(source, SourceUnusable) as found:
        with writing(target) as there:
            entries = _begun(there, counted(found), place=place, run=run, now=now)
            before = ledger.source_of(there)
        for table in METADATA.sorted_tables:
            form, entry = Form(table, to=target.dialect.name), entries[table.name]
            rows = rows_of(found, form, by_key=True)
            if not _begins_with(rows, entry, table.name, tell):
                raise SourceChanged(before, f"{table.name} holds other rows")
            for batch in _batches(rows, at_once):
                _add(target, form, batch, entry, run=run)
                tell(table.name, len(batch))
    return Copied(run, entries)


def _begun(
    target: Connection, totals: dict[str, int], *, place: str, run: str, now: datetime
) -> dict[str, Entry]:
    if not ledger.is_open(target):
        refuse_rows(target)
        ledger.begin(target, place, totals, run=run, now=now)
        return ledger.entries(target)
    entries = ledger.entries(target)
    for name, total in totals.items():
        if (then := entries[name].total) != total:
            raise SourceChanged(ledger.source_of(target), f"{name} had {then} rows and has {total}")
    ledger.take(target, run=run)
    return entries


def _begins_with(rows: Iterator[Fitted], entry: Entry, name: str, tell: Tell) -> bool:
    """Whether the first rows are those that the target has. They are taken from `rows`."""
    digest = seen = 0
    for row in islice(rows, entry.rows):
        digest, seen = (digest + row.digest) % MODULUS, seen + 1
        if seen % FETCHED == 0 or seen == entry.rows:
            tell(name, seen % FETCHED or FETCHED)
    return (digest, seen) == (entry.digest, entry.rows)


def _batches(rows: Iterator[Fitted], at_once: int) -> Iterator[list[Fitted]]:
    batch: list[Fitted] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += row.size
        if len(batch) >= at_once or size >= SIZE_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _add(target: Engine, form: Form, batch: list[Fitted], entry: Entry, *, run: str) -> None:
    """Bring a batch, and what is noted of it, in one transaction."""
    after = Entry(
        entry.total,
        entry.rows + len(batch),
        entry.changed + sum(row.changed for row in batch),
        (entry.digest + sum(row.digest for row in batch)) % MODULUS,
    )
    with writing(target) as connection:
        ledger.note(connection, form.table.name, after, run=run)
        form.add(connection, batch)
    entry.rows, entry.changed, entry.digest = after.rows, after.changed, after.digest
