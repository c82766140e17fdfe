"""Whether the target holds what was read from the source, told by its own rows; and the end of a move."""

from collections.abc import Mapping

from sqlalchemy import Connection, Engine, func, select, text

from controller.errors import OrionError
from controller.store import engine as engines
from controller.store import ledger
from controller.store.ledger import Entry
from controller.store.moving.copying import MODULUS
from controller.store.moving.ends import FETCHED, TargetUnusable, Tell, rows_of, snapshot, writing
from controller.store.moving.forms import Form
from controller.store.tables import METADATA

_GO_ON_BEHIND = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")


class Different(OrionError):
    """The target does not hold what was brought there."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(
            f"The target does not hold what was brought there: {', '.join(found)}. Somebody else wrote to it, or its "
            "disk is not to be trusted. Begin anew, with an empty database."
        )


def check(target: Engine, entries: Mapping[str, Entry], *, tell: Tell) -> None:
    """Read every row of the target again, and compare with what was read from the source.

    Raises:
        Different: rows are missing, changed or too many.
        TargetUnusable, Damaged: they cannot be read.
    """
    with snapshot(target, TargetUnusable) as connection:
        found = [_difference(connection, name, entry, tell) for name, entry in entries.items()]
    if different := [each for each in found if each is not None]:
        raise Different(different)


def finish(target: Engine, *, run: str) -> None:
    """End the move: from here on the target is a database like any other.

    Raises:
        Overtaken: another program goes on with this move, or has ended it.
        TargetUnusable: it cannot be ended now.
    """
    with writing(target) as connection:
        ledger.hold(connection, run=run)
        if connection.dialect.name == engines.POSTGRESQL:
            _number_behind(connection)
        ledger.end(connection)
    engines.write_through(target)


def _difference(connection: Connection, name: str, entry: Entry, tell: Tell) -> str | None:
    form = Form(METADATA.tables[name], to=connection.dialect.name)
    digest = rows = 0
    for row in rows_of(connection, form, by_key=False):
        digest, rows = (digest + row.digest) % MODULUS, rows + 1
        if rows % FETCHED == 0:
            tell(name, FETCHED)
    tell(name, rows % FETCHED)
    if rows != entry.rows:
        return f"{name} has {rows} rows and not {entry.rows}"
    return None if digest == entry.digest else f"not every one of the {rows} rows of {name} is what it was"


def _number_behind(connection: Connection) -> None:
    """Have the next rows numbered behind those that were brought with their numbers."""
    for table in METADATA.sorted_tables:
        if (column := table.autoincrement_column) is None:
            continue
        last = connection.execute(select(func.max(column))).scalar_one()
        if last is not None:
            connection.execute(
                _GO_ON_BEHIND, {"table": table.name, "column": column.name, "last": max(last, 1)}
            )
