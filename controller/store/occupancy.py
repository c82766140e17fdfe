"""Whether some other program has this database open: what is done without a controller must not meet one."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url, text

from controller.store import engine as engines

_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = 'orion' AND pid <> pg_backend_pid()"
)


def is_used(url: str) -> bool:
    """Whether somebody else has it open at this moment; of a server, whether another Orion has.

    Ask before opening it: what this program has open counts too. Where there is no file nobody has it open.

    Raises:
        SQLAlchemyError: the server cannot be asked.
    """
    address = make_url(url)
    if address.get_backend_name() == engines.SQLITE:
        return _is_held(Path(address.database or ""))
    reader = engines.reader(url)
    try:
        with reader.connect() as connection:
            return bool(connection.execute(_OTHERS).scalar_one())
    finally:
        reader.dispose()


def _is_held(path: Path) -> bool:
    """Whoever has the file open in WAL mode holds a lock that lets nobody have it alone."""
    if not path.is_file():
        return False
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        except sqlite3.DatabaseError:
            return False  # no database: whoever opens it next says so
    return False
