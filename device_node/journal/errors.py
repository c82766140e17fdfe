"""What can keep the journal from doing its work, each with what to do about it.

* JournalUnusable: the file cannot be read or written now
  - JournalInUse: another program has it
* JournalFull: it holds as much as it may
"""

import errno
import shutil
import sqlite3
from pathlib import Path

FREE_AT_LEAST = 256 * 1024  # bytes; with less the disk counts as full whatever the error is called

_DAMAGED = (
    "It cannot be mended. Leave the node running until `orion commands queue` shows nothing of this device, "
    "then stop it, move the file and its -wal away, and start it again."
)
_UNWRITABLE = "Give the node's user the right to write to the file and to its folder."
_CAUSES: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", _DAMAGED),
    sqlite3.SQLITE_NOTADB: ("the file is damaged", _DAMAGED),
    sqlite3.SQLITE_READONLY: ("it cannot be written", _UNWRITABLE),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", _UNWRITABLE),
    sqlite3.SQLITE_PERM: ("it cannot be opened", _UNWRITABLE),
}


class JournalUnusable(Exception):
    """The journal cannot do its work now; the message says why and what helps.

    With `readable` what it holds is still known: an id that it does not know never ran.
    """

    def __init__(self, path: Path, reason: str, remedy: str, *, code: str = "journal_unusable") -> None:
        super().__init__(f"The journal {path} cannot be used: {reason}. {remedy}")
        self.path = path
        self.reason = reason
        self.remedy = remedy
        self.code = code  # of the event that tells of it
        self.readable = False


class JournalInUse(JournalUnusable):
    """Another program has the file; with two nodes on it, neither could keep a promise."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "another program has it open", "Stop the other node of this device.")


class JournalFull(Exception):
    """The journal or its spool holds as much as it may; nothing was written."""


def damaged(path: Path, reason: str) -> JournalUnusable:
    """The file is not what it should be."""
    return JournalUnusable(path, reason, _DAMAGED)


def newer(path: Path, found: int, known: int) -> JournalUnusable:
    """A later release wrote it."""
    return JournalUnusable(
        path,
        f"it has version {found}, and this program knows versions up to {known}",
        "Start the newer program again, or update this one.",
    )


def closed(path: Path) -> JournalUnusable:
    """It was not opened, or the program is ending."""
    return JournalUnusable(path, "it is closed", "Start the node again.")


def unusable(path: Path, error: sqlite3.Error | OSError) -> JournalUnusable:
    """Say what SQLite or the system means."""
    if _disk_is_full(path, error):
        return JournalUnusable(path, "the disk is full", "Free space on that disk.", code="disk_full")
    if isinstance(error, OSError):
        return JournalUnusable(path, error.strerror or type(error).__name__, _UNWRITABLE)
    if _primary(error) == sqlite3.SQLITE_BUSY:
        return JournalInUse(path)
    cause = _CAUSES.get(_primary(error))
    if cause is None:
        return JournalUnusable(path, f"SQLite says {error}", "Look at the disk and at the system's log.")
    return JournalUnusable(path, *cause)


def _primary(error: sqlite3.Error) -> int:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def _disk_is_full(path: Path, error: sqlite3.Error | OSError) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if _primary(error) == sqlite3.SQLITE_FULL:
        return True
    if _primary(error) not in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        return False
    try:
        return shutil.disk_usage(path.parent).free < FREE_AT_LEAST
    except OSError:
        return False
