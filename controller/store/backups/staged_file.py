"""A database file that takes the place of another: by its name, in one step."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine

from broker import files
from controller.store import engine as engines
from controller.store.backups import draft
from controller.store.backups.errors import DatabaseInUse
from controller.store.backups.manifest import Manifest

LOCK_WITHIN = 1.0  # seconds
BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a file, and what must not meet another one


class PlaceOfFile:
    """The place of one file. It is locked while it is held, so that no program can open it meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open = ExitStack()
        self._folder: Path | None = None
        self._staged: Path | None = None
        self._engine: Engine | None = None
        self.taken = path.exists()

    def hold(self) -> None:
        """Lock what is there.

        Raises:
            DatabaseInUse: somebody has it open.
        """
        if self.taken:
            self._open.callback(_locked(self._path).close)
        elif not self._path.parent.exists():
            files.make_private_directory(self._path.parent)
        self._folder = self._open.enter_context(draft.drafting(self._path.parent))

    def let_go(self) -> None:
        """Unlock it, and remove what was not put into place."""
        self._close()
        self._open.close()

    def draft(self) -> Path:
        if self._folder is None:
            raise RuntimeError("the place is not held")
        return self._folder

    def stage(self, database: Path, _manifest: Manifest, tell: Callable[[int, int], None]) -> Engine:
        tell(0, 0)
        self._staged = database
        self._engine = engines.writer(engines.sqlite_url(database))
        return self._engine

    def swap(self, at: datetime) -> str | None:
        if self._staged is None:
            raise RuntimeError("nothing is staged")
        self._close()
        _made_one(self._staged)
        aside = self._set_aside(at) if self.taken else None
        self._staged.replace(self._path)
        draft.flush(self._path.parent)
        return None if aside is None else str(aside)

    def _set_aside(self, at: datetime) -> Path:
        """Give what is there a second name: it keeps its own until the other one has it."""
        aside = self._path.with_name(f"{self._path.stem}-before-{at:%Y%m%dT%H%M%SZ}{self._path.suffix}")
        try:
            os.link(self._path, aside)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            shutil.copyfile(self._path, aside)
            files.make_private(aside)
        for ending in BESIDE:  # of a damaged file only: a sound one was made one file when it was locked
            with suppress(FileNotFoundError):
                _beside(self._path, ending).replace(_beside(aside, ending))
        return aside

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


def _locked(path: Path) -> sqlite3.Connection:
    """A connection that nobody else can be beside; the file has no log any more.

    A damaged file cannot be locked, and nothing can work with it either.
    """
    uri = f"file:{quote(str(path))}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=LOCK_WITHIN)
    in_use = DatabaseInUse(f"Another program has {path} open.")
    try:
        (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        if mode == "delete":
            connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if "locked" in str(error):
            raise in_use from error
        raise
    except sqlite3.DatabaseError:
        return connection
    if mode != "delete":
        connection.close()
        raise in_use
    return connection


def _made_one(path: Path) -> None:
    """Bring what stands in the log into the file, and the file to the disk."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA journal_mode=DELETE")
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
