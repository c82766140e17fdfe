"""A PostgreSQL schema that takes the place of another: both change their names in one transaction.

It is filled under the name that it had, while the one in use has another: in one transaction as well,
which is committed only if all of the copy was read. So a killed program leaves what was there.
"""

import subprocess  # nosec B404 # argument lists, never a shell
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from controller.store import engine as engines
from controller.store.backups import tools
from controller.store.backups.errors import BackupUnusable, DatabaseInUse, NotRestored
from controller.store.backups.manifest import Manifest

CHUNK = 256 * 1024  # bytes
END_WITHIN = 600.0  # seconds that the last statements may take
STAGED = "orion_restoring"
NAME = "orion-restore"  # our own connections are in nobody's way
HIDDEN = "orion_hidden"
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'orion' "
    "AND pid <> pg_backend_pid()"
)
_TABLES = (
    "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
)
_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('orion restore', 0))"
_EXISTS = "SELECT count(*) FROM pg_namespace WHERE nspname = %(name)s"


class PlaceOfSchema:
    """The schema in which this user's tables are."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open = ExitStack()
        self._folder: Path | None = None
        self._name = ""
        self.taken = False

    def hold(self) -> None:
        """Make sure that nobody works there.

        Raises:
            DatabaseInUse: somebody does.
        """
        connection = self._open.enter_context(self._connected())
        if not connection.exec_driver_sql(_LOCK).scalar_one():
            raise DatabaseInUse("Another restore is at work.")
        _check_alone(connection)
        self._name = str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
        self.taken = bool(connection.exec_driver_sql(_TABLES).scalar_one())
        connection.commit()  # the lock is the session's, and stays
        self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="orion-restore-")))

    def let_go(self) -> None:
        """Remove what was not put into place."""
        self._open.close()

    def draft(self) -> Path:
        if self._folder is None:
            raise RuntimeError("the place is not held")
        return self._folder

    def stage(self, database: Path, manifest: Manifest, tell: Callable[[int, int], None]) -> Engine:
        with self._connected() as connection:
            version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
            if manifest.server is None or manifest.namespace is None:
                raise BackupUnusable(database, "does not say of which PostgreSQL it is.")
            if version < manifest.server:
                raise NotRestored(
                    f"The backup is of PostgreSQL {manifest.server}, and this server is {version}: it may not "
                    "understand it."
                )
            restore, psql = (tools.find(name, version) for name in ("pg_restore", "psql"))
            _load(connection, restore, psql, database, manifest.namespace, tell)
        self._open.callback(self._drop)
        staged = engines.writer(self._url, schema=STAGED, name=NAME)
        self._open.callback(staged.dispose)
        return staged

    def swap(self, at: datetime) -> str | None:
        aside = f"orion_before_{at:%Y%m%dt%H%M%Sz}"
        with self._connected() as connection:
            _check_alone(connection)
            connection.exec_driver_sql(f"ALTER SCHEMA {_quoted(self._name)} RENAME TO {aside}")
            connection.exec_driver_sql(f"ALTER SCHEMA {STAGED} RENAME TO {_quoted(self._name)}")
            if not self.taken:
                with suppress(DBAPIError), connection.begin_nested():  # what somebody else has in there stays
                    connection.exec_driver_sql(f"DROP SCHEMA {aside}")
            connection.commit()
        return f"the schema {aside} of the database" if self.taken else None

    def _drop(self) -> None:
        with self._connected() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {STAGED} CASCADE")
            connection.commit()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        engine = engines.writer(self._url, name=NAME)
        try:
            with engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise NotRestored(_with_remedy(str(error.orig).partition("\n")[0] + ".")) from error
        finally:
            engine.dispose()


def _check_alone(connection: Connection) -> None:
    if others := int(connection.exec_driver_sql(_OTHERS).scalar_one()):
        raise DatabaseInUse(f"{others} connections of Orion to this database are open.")


def _load(
    connection: Connection,
    restore: str,
    psql: str,
    database: Path,
    namespace: str,
    tell: Callable[[int, int], None],
) -> None:
    """Have the copy in the staged schema; all of it, or nothing has happened."""
    exists = bool(connection.exec_driver_sql(_EXISTS, {"name": namespace}).scalar_one())
    own, address = tools.environment(connection), tools.address_of(connection)
    connection.rollback()  # a schema that somebody looks at cannot be given another name
    before = f"BEGIN;\nDROP SCHEMA IF EXISTS {STAGED} CASCADE;\n"
    behind = f"ALTER SCHEMA {_quoted(namespace)} RENAME TO {STAGED};\n"
    if exists:
        before += f"ALTER SCHEMA {_quoted(namespace)} RENAME TO {HIDDEN};\n"
        behind += f"ALTER SCHEMA {HIDDEN} RENAME TO {_quoted(namespace)};\n"
    # without a COMMIT nothing counts: whoever is killed before it has changed nothing
    behind += "COMMIT;\n"
    script = [restore, "--file=-", "--no-owner", "--no-privileges", str(database)]
    options = ("--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse")
    with (
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as told,
        subprocess.Popen(  # nosec B603 # a program of PostgreSQL
            script, env=own, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told
        ) as reading,
        subprocess.Popen(  # nosec B603 # a program of PostgreSQL
            [psql, *options, f"--dbname={address}"],
            env=own,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
        ) as doing,
    ):
        try:
            with suppress(BrokenPipeError):  # psql has ended, and says why
                _feed(reading, doing, before, behind, lambda done: tell(done, database.stat().st_size))
            doing.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            raise NotRestored("psql does not come to an end, and was ended.") from None
        finally:
            tools.end(doing)
            tools.end(reading)
        if doing.returncode:
            raise NotRestored(_with_remedy(f"psql failed: {tools.complaint(said)}"))
        if reading.returncode:
            raise NotRestored(f"pg_restore failed: {tools.complaint(told)}")


def _feed(
    reading: "subprocess.Popen[bytes]",
    doing: "subprocess.Popen[bytes]",
    before: str,
    behind: str,
    tell: Callable[[int], None],
) -> None:
    if reading.stdout is None or doing.stdin is None:
        raise RuntimeError("the programs have no pipes")
    doing.stdin.write(before.encode())
    done = 0
    while piece := reading.stdout.read(CHUNK):
        doing.stdin.write(piece)
        done += len(piece)
        tell(done)
    if reading.wait(END_WITHIN) == 0:
        doing.stdin.write(behind.encode())
    doing.stdin.close()


def _with_remedy(said: str) -> str:
    if "must be owner" in said or "permission denied" in said:
        return f"{said} The database must belong to its user: ALTER DATABASE … OWNER TO …"
    return said


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
