"""What can go wrong with the database, told to whoever asked for something."""

import sqlite3

from sqlalchemy.exc import DBAPIError

from controller.errors import OrionError
from schemas.errors import ErrorCode

_FULL = "disk is full"  # SQLite's words


class StoreBusy(OrionError):
    """More work waits for the writer than can be done in a reasonable time."""

    code = ErrorCode.BUSY


class StoreFailed(OrionError):
    """The database did not take a transaction: disk full, locked, or gone. `said`: that alone, as a sentence."""

    def __init__(self, said: str) -> None:
        remedy = " Make room on the controller's disk, and try again." if _FULL in said else ""
        super().__init__(said + remedy)
        self.said = said


class StoreUnsure(StoreFailed):
    """The database went away while it committed: whether it took the transaction is not known."""

    code = ErrorCode.INTERRUPTED

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"The database went away as this was recorded ({cause}): whether it is recorded is not known. Look "
            "before it is tried again."
        )


class StoreAway(StoreFailed):
    """The database's server does not answer; it may later."""


class StoreRefused(OrionError):
    """The database will never take this change: its content does not fit."""

    code = ErrorCode.INVALID_ARGUMENTS


def cause(error: BaseException) -> str:
    """What the database said first, in a line, as that the disk is full; not the statement, which holds data."""
    said = type(error).__name__
    following: BaseException | None = error
    while following is not None:  # a rollback that fails as well says nothing new
        found = following.orig if isinstance(following, DBAPIError) else following
        if isinstance(following, DBAPIError | sqlite3.Error):
            said = str(found).partition("\n")[0] or said
        following = following.__context__
    return said
