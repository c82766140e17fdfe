"""How far a move into this database is: two small tables that are there only while it lasts.

They change in the transaction that brings the rows they count, so they are never ahead and never behind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    insert,
    inspect,
    select,
    update,
)

from controller.errors import Conflict
from controller.store.types import UtcTime

_METADATA = MetaData()
_MOVE = Table(
    "moving",
    _METADATA,
    Column("source", String, nullable=False),  # where it comes from, without a password
    Column("run", String, nullable=False),  # who moves; whoever goes on with it takes its place
    Column("began_at", UtcTime, nullable=False),
)
_TABLES = Table(
    "moving_tables",
    _METADATA,
    Column("name", String, primary_key=True),
    Column("total", BigInteger, nullable=False),  # rows of the source when the move began
    Column("rows", BigInteger, nullable=False),  # of these that are here, the first ones by their key
    Column("changed", BigInteger, nullable=False),  # of these that this database could not keep to the letter
    Column("digest", String, nullable=False),  # of the rows that are here, as they were read
)


class Unfinished(Conflict):
    """A move into this database has not come to its end, so it is nobody's database yet."""

    def __init__(self) -> None:
        super().__init__(
            "A move into this database has not ended: run the same `orion db move` again, or go on with the "
            "database that it comes from."
        )


class Overtaken(Conflict):
    """Another program goes on with this move."""

    def __init__(self) -> None:
        super().__init__("Another `orion db move` goes on with this move.")


@dataclass(slots=True)
class Entry:
    """How far one table is."""

    total: int
    rows: int = 0
    changed: int = 0
    digest: int = 0


def is_open(connection: Connection) -> bool:
    """Whether a move into this database has begun and not ended."""
    return inspect(connection).has_table(_MOVE.name)


def source_of(connection: Connection) -> str:
    """Where the rows of the move come from."""
    return str(connection.execute(select(_MOVE.c.source)).scalar_one())


def entries(connection: Connection) -> dict[str, Entry]:
    """How far each table is."""
    found = connection.execute(select(_TABLES)).all()
    return {row.name: Entry(row.total, row.rows, row.changed, int(row.digest, 16)) for row in found}


def begin(connection: Connection, source: str, totals: Mapping[str, int], *, run: str, now: datetime) -> None:
    """Note that a move begins, with nothing here yet."""
    _METADATA.create_all(connection, checkfirst=False)
    connection.execute(insert(_MOVE), {"source": source, "run": run, "began_at": now})
    nothing = {"rows": 0, "changed": 0, "digest": "0"}
    connection.execute(
        insert(_TABLES), [{"name": name, "total": total, **nothing} for name, total in totals.items()]
    )


def take(connection: Connection, *, run: str) -> None:
    """Go on with a move: whoever did before learns it with the next rows."""
    connection.execute(update(_MOVE).values(run=run))


def note(connection: Connection, name: str, entry: Entry, *, run: str) -> None:
    """Note how far a table is with the rows of this transaction.

    Raises:
        Overtaken: another run has gone on with it.
    """
    hold(connection, run=run)
    now = {"rows": entry.rows, "changed": entry.changed, "digest": f"{entry.digest:x}"}
    connection.execute(update(_TABLES).where(_TABLES.c.name == name).values(now))


def hold(connection: Connection, *, run: str) -> None:
    """Keep the move ours until this transaction ends.

    Raises:
        Overtaken: another run has gone on with it, or has ended it.
    """
    if not is_open(connection):
        raise Overtaken
    if connection.execute(update(_MOVE).where(_MOVE.c.run == run).values(run=run)).rowcount != 1:
        raise Overtaken


def end(connection: Connection) -> None:
    """Forget about it: the move is complete."""
    _METADATA.drop_all(connection, checkfirst=False)
