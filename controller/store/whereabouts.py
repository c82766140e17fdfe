"""Whether a file is where it was: if not, all that is written is gone with its last program, or a new one begun."""

import shutil
from pathlib import Path

from sqlalchemy import make_url

from controller.errors import OrionError
from controller.store.engine import SQLITE
from controller.store.failures import StoreFailed


class DatabaseGone(OrionError):
    """There was a database and there is none."""

    def __init__(self, path: Path, heads: Path) -> None:
        super().__init__(
            f"There is no database at {path}, and the audit of one has been signed: it was deleted or moved, or "
            "ORION_DATABASE_URL named another. Put it back, or restore a backup (orion db restore FILE). To begin anew "
            f"without what is on record, move {heads} away."
        )


class Whereabouts:
    """Of one database. A server's are its own affair."""

    def __init__(self, url: str) -> None:
        address = make_url(url)
        self._path = Path(address.database or "") if address.get_backend_name() == SQLITE else None
        self._opened: tuple[int, int] | None = None

    def check_known(self, heads: Path) -> None:
        """See that no new file is begun in the place of one whose audit was signed in `heads`.

        Raises:
            DatabaseGone: it would be.
        """
        if self._path is None or not heads.exists():
            return
        if not self._path.exists() or self._path.stat().st_size == 0:
            raise DatabaseGone(self._path, heads)

    def note(self) -> None:
        """Take the file that is there now for the one that is open."""
        self._opened = self._there()

    def check(self) -> None:
        """See that it is there still.

        Raises:
            StoreFailed: it was deleted, moved or replaced since.
        """
        if self._opened is not None and self._there() != self._opened:
            raise StoreFailed(
                f"The database {self._path} was taken away or replaced while it is open, so what is written now would "
                "be lost. Put it back as it was, or stop the controller and restore a backup (orion db restore)."
            )

    def room(self) -> int | None:
        """How many bytes are free beside it; None: it is a server's, or is there no more."""
        if self._path is None:
            return None
        try:
            return shutil.disk_usage(self._path.parent).free
        except OSError:
            return None

    def _there(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0)
        return found.st_dev, found.st_ino
