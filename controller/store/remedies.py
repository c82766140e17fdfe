"""What somebody can do about a database that cannot be used, beside the reason in its own words."""

import re
import sqlite3

from sqlalchemy.exc import SQLAlchemyError

from controller.store.failures import cause

OLDER = "One of an earlier release is brought up to date by: orion db migrate"
FOREIGN = "It is damaged, or something else: put a backup back (orion db backups), or see ORION_DATABASE_URL."
RIGHTS = "See that this user may read and write the file and its folder."
ROOM = "Make room on its disk."
BUSY = "Another program holds it: try again later."
SERVER = (
    "See that the server runs, and that ORION_DATABASE_URL names it, its database and a user with its rights."
)
ELSE = "See ORION_DATABASE_URL."

_MISSING = re.compile(r"no such (table|column)|table \S+ has no column")
_OF_FILES = {
    sqlite3.SQLITE_CANTOPEN: RIGHTS,
    sqlite3.SQLITE_PERM: RIGHTS,
    sqlite3.SQLITE_READONLY: RIGHTS,
    sqlite3.SQLITE_NOTADB: FOREIGN,
    sqlite3.SQLITE_CORRUPT: FOREIGN,
    sqlite3.SQLITE_FULL: ROOM,
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
}
_OF_SERVERS = {
    "42P01": OLDER,  # undefined_table
    "42703": OLDER,  # undefined_column
    "55P03": BUSY,  # lock_not_available
    "53100": ROOM,  # disk_full
}
_KIND = 0xFF  # the part of SQLite's code that names the kind


def told(error: SQLAlchemyError | sqlite3.Error) -> str:
    """The reason, and a remedy that fits it; without the statement, whose values may be secret."""
    return f"{cause(error).rstrip('.')}. {_remedy(getattr(error, 'orig', None) or error)}"


def _remedy(error: BaseException) -> str:
    if isinstance(error, sqlite3.Error):
        if _MISSING.match(str(error)):
            return OLDER
        return _OF_FILES.get(getattr(error, "sqlite_errorcode", 0) & _KIND, ELSE)
    if isinstance(error, SQLAlchemyError):  # the database was not even asked
        return ELSE
    return _OF_SERVERS.get(getattr(error, "sqlstate", None) or "", SERVER)
