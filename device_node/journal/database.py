"""The file itself: opened, checked, and brought to the version that this program knows.

One connection has it alone, so two nodes never share a journal. A file that is not whole is
refused: an empty journal in its place would run again what has run.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

from device_node.journal import errors

VERSION = 1
WAIT_FOR_LOCK = 5.0  # seconds; an earlier life may still be ending
WAL_BYTES = 4 * 1024 * 1024  # what the write-ahead log may keep between two checkpoints

_COMMANDS = """
CREATE TABLE commands (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    reply_to TEXT,
    expires_at REAL NOT NULL,
    reply BLOB,
    acknowledged INTEGER NOT NULL DEFAULT 0
) STRICT
"""
# what version 1 adds to a file of the first release, which had the table above alone
_STEPS_TO_1 = (
    "ALTER TABLE commands ADD COLUMN command BLOB",
    "ALTER TABLE commands ADD COLUMN runs INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX commands_expiry ON commands (expires_at)",
    "CREATE INDEX commands_open ON commands (position) WHERE state IN ('received', 'started')",
    """
    CREATE TABLE spool (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        topic TEXT NOT NULL,
        payload BLOB,
        severity INTEGER,
        bytes INTEGER NOT NULL,
        UNIQUE (kind, id)
    ) STRICT
    """,
    "CREATE INDEX spool_severity ON spool (severity, position) WHERE severity IS NOT NULL",
    "CREATE TABLE marks (key TEXT PRIMARY KEY, value REAL NOT NULL) STRICT, WITHOUT ROWID",
    # the one report of lost events that was not sent yet, if any
    """
    CREATE TABLE loss (
        event_id TEXT NOT NULL, events INTEGER NOT NULL, since TEXT NOT NULL, life TEXT NOT NULL
    ) STRICT
    """,
    "CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    """
    INSERT INTO totals SELECT 'commands', count(*) FROM commands
        UNION ALL SELECT 'open', count(*) FROM commands WHERE state IN ('received', 'started')
        UNION ALL SELECT 'command_bytes', coalesce(sum(length(reply)), 0) FROM commands
        UNION ALL SELECT 'spooled', 0 UNION ALL SELECT 'spooled_bytes', 0
        UNION ALL SELECT 'replies', 0 UNION ALL SELECT 'reply_bytes', 0
    """,
    """
    CREATE TRIGGER commands_added AFTER INSERT ON commands BEGIN
        UPDATE totals SET value = value + 1 WHERE name = 'commands';
        UPDATE totals SET value = value + (new.state IN ('received', 'started')) WHERE name = 'open';
        UPDATE totals SET value = value + coalesce(length(new.reply), 0) + coalesce(length(new.command), 0)
            WHERE name = 'command_bytes';
    END
    """,
    """
    CREATE TRIGGER commands_changed AFTER UPDATE OF state, reply, command ON commands BEGIN
        UPDATE totals SET value = value + (new.state IN ('received', 'started'))
            - (old.state IN ('received', 'started')) WHERE name = 'open';
        UPDATE totals SET value = value
            + coalesce(length(new.reply), 0) + coalesce(length(new.command), 0)
            - coalesce(length(old.reply), 0) - coalesce(length(old.command), 0)
            WHERE name = 'command_bytes';
    END
    """,
    """
    CREATE TRIGGER commands_forgotten AFTER DELETE ON commands BEGIN
        UPDATE totals SET value = value - 1 WHERE name = 'commands';
        UPDATE totals SET value = value - (old.state IN ('received', 'started')) WHERE name = 'open';
        UPDATE totals SET value = value - coalesce(length(old.reply), 0) - coalesce(length(old.command), 0)
            WHERE name = 'command_bytes';
    END
    """,
    """
    CREATE TRIGGER spool_added AFTER INSERT ON spool BEGIN
        UPDATE totals SET value = value + 1 WHERE name = 'spooled';
        UPDATE totals SET value = value + new.bytes WHERE name = 'spooled_bytes';
        UPDATE totals SET value = value + (new.kind = 'reply') WHERE name = 'replies';
        UPDATE totals SET value = value + (new.kind = 'reply') * new.bytes WHERE name = 'reply_bytes';
    END
    """,
    """
    CREATE TRIGGER spool_changed AFTER UPDATE OF bytes ON spool BEGIN
        UPDATE totals SET value = value + new.bytes - old.bytes WHERE name = 'spooled_bytes';
        UPDATE totals SET value = value + (new.kind = 'reply') * (new.bytes - old.bytes)
            WHERE name = 'reply_bytes';
    END
    """,
    """
    CREATE TRIGGER spool_removed AFTER DELETE ON spool BEGIN
        UPDATE totals SET value = value - 1 WHERE name = 'spooled';
        UPDATE totals SET value = value - old.bytes WHERE name = 'spooled_bytes';
        UPDATE totals SET value = value - (old.kind = 'reply') WHERE name = 'replies';
        UPDATE totals SET value = value - (old.kind = 'reply') * old.bytes WHERE name = 'reply_bytes';
    END
    """,
    """
    INSERT INTO spool (kind, id, topic, bytes)
        SELECT 'reply', id, reply_to, length(reply) FROM commands
        WHERE state = 'finished' AND acknowledged = 0 AND reply IS NOT NULL AND reply_to IS NOT NULL
        ORDER BY position
    """,
    f"PRAGMA user_version = {VERSION}",
)


def open_at(path: Path) -> sqlite3.Connection:
    """Open the journal, make it when there is none, and bring an old one up to date.

    Raises:
        JournalUnusable: it is damaged, newer, or cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.path.lexists(path):
            _make(path)
        elif not path.is_file():
            raise errors.damaged(path, "it is not a file")
        elif path.stat().st_size == 0:
            raise errors.damaged(path, "the file is empty")
        path.chmod(0o600)
        database = _connect(path)
    except (sqlite3.Error, OSError) as error:
        raise errors.unusable(path, error) from error
    try:
        version = _checked(database, path)
        _prepare(database)
        _bring_up(database, version)
    except (sqlite3.Error, errors.JournalUnusable) as error:
        database.close()
        if isinstance(error, errors.JournalUnusable):
            raise
        raise errors.unusable(path, error) from error
    return database


def _make(path: Path) -> None:
    # under another name until it is whole, so that an empty file is always a damaged one
    draft = path.with_name(path.name + ".new")
    for leftover in (draft, draft.with_name(draft.name + "-wal"), draft.with_name(draft.name + "-journal")):
        leftover.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with contextlib.closing(_connect(draft)) as database:
        _prepare(database)
        database.execute("BEGIN IMMEDIATE")
        database.execute(_COMMANDS)
        _migrate(database)
        database.execute("COMMIT")
    draft.replace(path)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=WAIT_FOR_LOCK)
    # before the first look at the log: alone in the file, SQLite needs no shared memory beside it
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    return database


def _checked(database: sqlite3.Connection, path: Path) -> int:
    """The version of a file that is whole and a journal; nothing of it is changed."""
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise errors.newer(path, version, VERSION)
    if (found := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise errors.damaged(path, f"the file is damaged ({str(found)[:200]})")
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not {"commands", *(("spool", "marks", "loss", "totals") if version else ())} <= tables:
        raise errors.damaged(path, "the file is no journal")
    return version


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA temp_store = MEMORY")
    database.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")


def _bring_up(database: sqlite3.Connection, version: int) -> None:
    database.execute("BEGIN IMMEDIATE")  # also shows whether the file is ours and can be written
    if version < VERSION:
        _migrate(database)
    database.execute("COMMIT")


def _migrate(database: sqlite3.Connection) -> None:
    for step in _STEPS_TO_1:
        database.execute(step)
