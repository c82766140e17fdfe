"""One moment of a database as a file, taken while others write; and what was in it at that moment.

SQLite: its own backup, page by page, within one read transaction: nobody who writes waits for it, and
it begins anew for nobody. PostgreSQL: `pg_dump` of the moment in which the rows were counted.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from sqlalchemy import URL, Connection, column, create_engine, func, inspect, make_url, select, table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from controller.store import engine as engines
from controller.store import migrate, remedies
from controller.store.backups import tools
from controller.store.backups.errors import NotBackedUp
from controller.store.tables import METADATA

PAGES = 256  # of a file between two looks at whether to go on
LOCK_WITHIN = 10  # seconds that pg_dump waits for a table that somebody changes
LOOK_EVERY = 50_000  # steps of a check of a whole file

_HASH = re.compile("[0-9a-f]{64}")
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was copied. `server` and `namespace` are PostgreSQL's."""

    kind: Literal["sqlite", "postgresql"]
    revision: str
    origin: str | None
    rows: dict[str, int]
    server: int | None = None
    namespace: str | None = None


def size_of(url: str) -> int:
    """About how large a copy of the database may be, in bytes."""
    address = make_url(url)
    if address.get_backend_name() == engines.SQLITE:
        path = Path(address.database or "")
        return sum(each.stat().st_size for each in (path, _log(path)) if each.exists())
    with _looking(url) as connection:
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


def take(url: str, target: Path, tell: Tell) -> Snapshot:
    """Copy a database to a new file. Blocks.

    Raises:
        NotBackedUp: it cannot be read, there is nothing in it, or it is damaged.
        ToolMissing: pg_dump is not here.
    """
    address = make_url(url)
    try:
        if address.get_backend_name() == engines.SQLITE:
            return _of_file(Path(address.database or ""), target, tell)
        return _of_server(url, target, tell)
    except (DBAPIError, sqlite3.Error) as error:
        raise NotBackedUp(f"The database cannot be copied: {remedies.told(error)}") from error


def counted(connection: Connection) -> dict[str, int]:
    """How many rows there are, by table."""
    found = inspect(connection).get_table_names()
    count = select(func.count())
    return {
        name: int(connection.execute(count.select_from(table(name))).scalar_one())
        for name in sorted(METADATA.tables)
        if name in found
    }


def _of_file(path: Path, target: Path, tell: Tell) -> Snapshot:
    if not path.is_file():
        raise NotBackedUp(f"There is no database at {path} yet.")
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    uri = f"file:{quote(str(path))}?mode=rw"
    with (
        closing(
            sqlite3.connect(uri, uri=True, isolation_level=None, timeout=engines.BUSY_TIMEOUT / 1000)
        ) as source,
        closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        size = int(source.execute("PRAGMA page_size").fetchone()[0])
        copy.execute("PRAGMA synchronous=OFF")  # whoever packs it flushes what matters
        # one moment for the whole copy: without it, each change by somebody else begins the copy anew
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(
            copy, pages=PAGES, progress=lambda _, left, total: tell((total - left) * size, total * size)
        )
        source.execute("ROLLBACK")
        copy.execute("PRAGMA journal_mode=DELETE")  # the copy is one file
        _check_whole(copy, path, tell)
    looking = create_engine(URL.create("sqlite", database=str(target)), poolclass=NullPool)
    with looking.connect() as connection:
        return _facts(connection, "sqlite")


def _check_whole(copy: sqlite3.Connection, path: Path, tell: Tell) -> None:
    ended: list[BaseException] = []

    def go_on() -> int:
        try:
            tell(0, 0)
        except BaseException as error:  # noqa: BLE001 - SQLite would lose it: raised below
            ended.append(error)
        return len(ended)

    copy.set_progress_handler(go_on, LOOK_EVERY)
    try:
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if ended:
            raise ended[0] from None
        if "interrupted" in str(error):  # Ctrl-C came before the handler could catch it
            raise KeyboardInterrupt from None
        raise
    if found != "ok":
        raise NotBackedUp(
            f"{path} is damaged, and a copy would be as well: {found}. Restore a backup: orion db backups"
        )


def _of_server(url: str, target: Path, tell: Tell) -> Snapshot:
    with _looking(url) as connection:
        version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
        dump = tools.find("pg_dump", version)
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        moment = str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())
        namespace = str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
        facts = _facts(connection, "postgresql", server=version, namespace=namespace)
        total = size_of(url)
        tools.run(
            [
                dump,
                *("--format=custom", "--compress=0", "--no-owner", "--no-privileges", "--no-password"),
                f"--schema={tools.exactly(namespace)}",
                f"--snapshot={moment}",
                f"--lock-wait-timeout={LOCK_WITHIN}s",
                f"--file={target}",
                f"--dbname={tools.address_of(connection)}",
            ],
            tools.environment(connection),
            failed=NotBackedUp,
            moves=lambda: target.stat().st_size if target.exists() else 0,
            tell=lambda done: tell(min(done, total), total),
        )
    target.chmod(0o600)
    return facts


def _facts(
    connection: Connection,
    kind: Literal["sqlite", "postgresql"],
    *,
    server: int | None = None,
    namespace: str | None = None,
) -> Snapshot:
    revision = migrate.revision_of(connection)
    if revision is None:
        raise NotBackedUp("There is nothing in the database yet.")
    return Snapshot(kind, revision, _origin(connection), counted(connection), server, namespace)


def _origin(connection: Connection) -> str | None:
    """The hash of the first row that is in a chain: no two databases have the same one."""
    if "hash" not in {each["name"] for each in inspect(connection).get_columns("audit_log")}:
        return None
    log = table("audit_log", column("number"), column("hash"))
    query = select(log.c.hash).where(log.c.hash.is_not(None)).order_by(log.c.number).limit(1)
    found = connection.execute(query).scalar_one_or_none()
    # what is no hash was changed by somebody: that is for the audit to say, and no reason to have no backup
    return found if isinstance(found, str) and _HASH.fullmatch(found) else None


@contextmanager
def _looking(url: str) -> Iterator[Connection]:
    """One moment of a server's database, for as long as the block takes."""
    engine = engines.writer(url)
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            yield connection
    finally:
        engine.dispose()


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
