"""Engines of one database: a writer that takes its lock at once, and readers that cannot write."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from controller.errors import OrionError
from controller.store import server

SQLITE, POSTGRESQL = "sqlite", "postgresql"
LONGEST_LOG = 16_000  # pages, 64 MB, after which a commit shortens SQLite's log if nobody did before
_ASKED = "asked"  # of a connection: whether its one statement has been
BUSY_TIMEOUT = 5_000  # milliseconds that SQLite waits for another program's lock


def sqlite_url(path: Path) -> str:
    """The URL of a database file."""
    return f"sqlite:///{path}"


def kind_of(url: str) -> str:
    """Which kind of database is at a URL: `SQLITE` or `POSTGRESQL`."""
    return make_url(url).get_backend_name()


def shown(url: str) -> str:
    """Which database is at a URL, without its password and options."""
    at = make_url(url)
    place = URL.create(at.drivername, at.username, host=at.host, port=at.port, database=at.database)
    return place.render_as_string()


def writer(url: str, *, schema: str | None = None, name: str = server.NAME) -> Engine:
    """The engine of the one writer: every transaction begins with its lock (`BEGIN IMMEDIATE`).

    Of a server's database: `schema` is where its tables are, unless that is the usual place; `name` is what
    others see who is connected.
    """
    return _engine(url, begin="BEGIN IMMEDIATE", query_only=False, schema=schema, name=name)


def reader(url: str) -> Engine:
    """The engine for looking only: a write through it is an error, and all it asks sees the same moment."""
    return readers(url)[0]


def readers(url: str) -> tuple[Engine, Engine]:
    """A reader, and on the same connections one for a single statement each time.

    That needs no transaction around it, of which a server is told at its begin and at its end. A second
    statement before the connection is given back raises `SecondStatement`: it would see another moment.
    """
    looking = _engine(url, begin="BEGIN", query_only=True)
    asking = looking.execution_options()

    @event.listens_for(asking, "begin")
    def begin(connection: Connection) -> None:
        connection.info[_ASKED] = False

    @event.listens_for(asking, "before_cursor_execute")
    def count(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if statement == "BEGIN":
            return
        if connection.info[_ASKED]:
            raise SecondStatement
        connection.info[_ASKED] = True

    if looking.dialect.name != SQLITE:
        looking = looking.execution_options(isolation_level="REPEATABLE READ")
    return looking, asking


class SecondStatement(AssertionError):
    """Two statements were asked where one was promised. A mistake in the program."""


def _engine(
    url: str, *, begin: str, query_only: bool, schema: str | None = None, name: str = server.NAME
) -> Engine:
    # a failed statement is logged, and its values may be secret arguments of a tool
    address = make_url(url)
    if address.get_backend_name() != SQLITE:
        return server.engine(
            address, read_only=query_only, lock_timeout_ms=BUSY_TIMEOUT, schema=schema, name=name
        )
    engine = create_engine(url, connect_args={"check_same_thread": False}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        raw: Any = connection
        assert_sqlite(raw)
        raw.isolation_level = None  # SQLAlchemy begins; the driver must not begin on its own
        if raw.execute("PRAGMA page_count").fetchone() == (0,):  # of an old file it would take the lock
            raw.execute("PRAGMA auto_vacuum=INCREMENTAL")  # what is deleted later can be given back
        for pragma in _pragmas(query_only=query_only):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin_now(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def will_pass(error: DBAPIError) -> bool:
    """Whether the database may take the same change later: it is full, locked, read-only or away."""
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return True
    return getattr(error.orig, "sqlstate", None) == server.READ_ONLY


@contextmanager
def rebuilding(engine: Engine) -> Iterator[Connection]:
    """One transaction in which tables may be replaced by copies of themselves.

    SQLite changes a table that way, and dropping the old one would take along what points at it. So
    references are not followed meanwhile; they are looked at before the end.

    Raises:
        IntegrityLost: something points at a row that is not there.
    """
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        if engine.dialect.name == SQLITE:
            raw.execute("PRAGMA foreign_keys=OFF")  # of no effect inside a transaction
        try:
            with connection.begin():
                yield connection
                if engine.dialect.name == SQLITE:
                    _check_references(connection)
        finally:
            if engine.dialect.name == SQLITE:
                raw.execute("PRAGMA foreign_keys=ON")


class IntegrityLost(OrionError):
    """A change of the schema would leave references to nothing. It was taken back."""


def _check_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        tables = ", ".join(sorted({str(row[0]) for row in broken}))
        raise IntegrityLost(
            f"The database has {len(broken)} references to rows that are not there, in {tables}."
        )


def assert_sqlite(connection: object) -> None:
    """Refuse a driver whose transactions we do not know how to begin."""
    if not isinstance(connection, sqlite3.Connection):
        raise TypeError(f"not a sqlite3 connection: {type(connection).__name__}")


def empty_log(engine: Engine) -> None:
    """Take over what the write-ahead log holds and empty it: it keeps what was overwritten since.

    Somebody who is reading is not waited for.
    """
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def write_through(engine: Engine) -> None:
    """Have on the disk what is committed. SQLite alone leaves that for later: a power cut may take the last changes.

    Somebody who is reading is not waited for: the write-ahead log itself is flushed whatever they do.
    """
    if engine.dialect.name != SQLITE:
        return
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.execute("PRAGMA wal_checkpoint(PASSIVE)")


def rows_changed(connection: Connection) -> int:
    """How many rows a connection to a file has changed so far; of a server's nothing is known."""
    raw = connection.connection.dbapi_connection
    return raw.total_changes if isinstance(raw, sqlite3.Connection) else 0


def _pragmas(*, query_only: bool) -> tuple[str, ...]:
    return (
        f"busy_timeout={BUSY_TIMEOUT}",
        "journal_mode=WAL",
        f"wal_autocheckpoint={LONGEST_LOG}",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "secure_delete=ON",  # what was taken away, as a secret argument, is overwritten
        f"query_only={'ON' if query_only else 'OFF'}",
    )
