"""Engines of a PostgreSQL server, and what it cannot store as it is.

PostgreSQL has no character U+0000, in text or in JSON; its picture, U+2400, stands for it.
"""

import json
import socket
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from controller.errors import OrionError

NAME = "orion"  # what others see who is connected
PORT = 5432
CONNECT_WITHIN = 5  # seconds that a server has to let us in
READ_ONLY = "25006"  # its state of a database or transaction that takes no changes
READ_WITHIN = 30_000  # milliseconds that a question may take
OLDEST = 15  # release of the server
NUL, PICTURE = "\0", "␀"


class DriverMissing(OrionError):
    """PostgreSQL is wanted and its driver is not installed; the message says how to."""

    def __init__(self) -> None:
        super().__init__(
            "PostgreSQL needs its driver, which is an extra: pip install 'orion-control-plane[postgres]'"
        )


class TooOld(OrionError):
    """The server is of a release that Orion is not tried on."""

    def __init__(self, version: int) -> None:
        super().__init__(f"PostgreSQL {OLDEST} or newer is needed; this server is {version // 10_000}.")


def engine(
    address: URL, *, read_only: bool, lock_timeout_ms: int, schema: str | None = None, name: str = NAME
) -> Engine:
    """An engine of one database. A reader's statements stand alone, unless it is asked for transactions.

    `schema`: where the tables are, unless that is the user's usual place; a plain word. `name`: what
    others see who is connected.

    Raises:
        DriverMissing: psycopg is not installed.
    """
    settings = {"lock_timeout": f"{lock_timeout_ms}", "timezone": "UTC"}
    if read_only:
        settings |= {"default_transaction_read_only": "on", "statement_timeout": f"{READ_WITHIN}"}
    if schema is not None:
        settings |= {"search_path": schema}
    try:
        made = create_engine(
            address,
            # a server that was restarted is found out before the work begins; who only looks can look again
            pool_pre_ping=not read_only,
            hide_parameters=True,
            json_serializer=to_json,
            isolation_level="AUTOCOMMIT" if read_only else "READ COMMITTED",
            skip_autocommit_rollback=read_only,
            connect_args={
                "application_name": name,
                "connect_timeout": CONNECT_WITHIN,
                "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
            },
        )
    except ModuleNotFoundError as error:
        raise DriverMissing from error
    event.listen(made, "connect", _prepare)
    if not read_only:
        event.listen(made, "handle_error", _leave_if_read_only)
    return made


def _leave_if_read_only(context: ExceptionContext) -> None:
    """Connect anew after such a refusal: a session may keep what its database was when it began."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def is_away(address: URL, error: DBAPIError) -> bool:
    """Whether nobody listens at a server's address, or it is just starting. One that refuses us is there.

    The driver tells no state of a connection that was never made, and the server's words are in its language.
    """
    if address.host is None or address.host.startswith("/"):
        return False
    try:
        socket.create_connection((address.host, address.port or PORT), CONNECT_WITHIN).close()
    except OSError:
        return True
    return "starting up" in str(error.orig)


def copy_in(connection: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Add many rows by `COPY`, each with all columns in their order, JSON as its text.

    Raises:
        DBAPIError: the server does not take one of them; none is added.
    """
    import psycopg
    from psycopg import sql

    raw: Any = connection.connection.driver_connection
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), columns)
    try:
        with raw.cursor() as cursor, cursor.copy(statement) as copying:
            for row in rows:
                copying.write_row(row)
    except psycopg.Error as error:
        raise DBAPIError(None, None, error) from error


def to_json(value: Any) -> str:
    """A value as JSON that the server can store."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(without_nul(value), ensure_ascii=False) if "\\u0000" in text else text


def without_nul(value: Any) -> Any:
    """A value, as JSON has them, with the picture in the place of each U+0000."""
    match value:
        case str():
            return value.replace(NUL, PICTURE)
        case dict():
            return {without_nul(key): without_nul(each) for key, each in value.items()}
        case list() | tuple():
            return [without_nul(each) for each in value]
    return value


def check_version(version: int) -> None:
    """Refuse a server that is too old. `version` is as libpq tells it: 150018 is 15.18.

    Raises:
        TooOld: it is.
    """
    if version < OLDEST * 10_000:
        raise TooOld(version)


def _prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    from psycopg.types.string import StrBinaryDumper, StrDumper

    class Text(StrDumper):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace(NUL, PICTURE))

    class BinaryText(StrBinaryDumper):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace(NUL, PICTURE))

    raw: Any = connection
    check_version(raw.info.server_version)
    for dumper in (Text, BinaryText):
        raw.adapters.register_dumper(str, dumper)
