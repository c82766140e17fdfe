"""The room of what was deleted, and what the database knows of its tables.

A server sees to both by itself. A file keeps its free pages for what comes, so only what is more than
that is given back: in steps, since each of them holds the writer. `VACUUM` would hold it for as
long as the whole file takes, and give rows without a number of their own other ones.
"""

from typing import Any

from sqlalchemy import Connection, Engine
from sqlmodel import Session

from controller.store import engine

SPARE = 8  # one page of so many may be free
SPARE_PAGES = 2_048  # and so many in any case
ROWS_LOOKED_AT = 400  # of each index, for an estimate

_INCREMENTAL = 2


def free(session: Session) -> int:
    """How many pages could be given back now. None of a file that was made before this was possible."""
    connection = session.connection()
    if connection.dialect.name != engine.SQLITE or _pragma(connection, "auto_vacuum") != _INCREMENTAL:
        return 0
    spare = max(SPARE_PAGES, _pragma(connection, "page_count") // SPARE)
    return max(0, _pragma(connection, "freelist_count") - spare)


def give_back(session: Session, *, at_most: int) -> int:
    """Make the file shorter by some free pages, in the caller's transaction; how many."""
    wanted = min(at_most, free(session))
    for _ in range(wanted):  # sqlite3 takes a single step of a statement without columns: one page
        session.connection().exec_driver_sql("PRAGMA incremental_vacuum(1)")
    return wanted


def look_again(session: Session) -> None:
    """Have estimates made anew that many deleted rows have made wrong."""
    connection = session.connection()
    if connection.dialect.name == engine.SQLITE:
        connection.exec_driver_sql(f"PRAGMA analysis_limit={ROWS_LOOKED_AT}")
        connection.exec_driver_sql("PRAGMA optimize")


def make_shrinkable(writer: Engine) -> None:
    """Let a file of an earlier release give back its free pages. Takes as long as copying it; nobody may use it."""
    if writer.dialect.name != engine.SQLITE:
        return
    with writer.connect() as connection:
        raw: Any = connection.connection.dbapi_connection  # neither works inside a transaction
        if raw.execute("PRAGMA auto_vacuum").fetchone() != (_INCREMENTAL,):
            raw.execute(f"PRAGMA auto_vacuum={_INCREMENTAL}")
            raw.execute("VACUUM")


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
