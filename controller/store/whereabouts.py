"""Whether the file that was opened is still at its path: if not, all that is written is gone with its last program."""

from pathlib import Path

from sqlalchemy import make_url

from controller.store.engine import SQLITE
from controller.store.failures import StoreFailed


class Whereabouts:
    """Of one database. A server's are its own affair."""

    def __init__(self, url: str) -> None:
        address = make_url(url)
        self._path = Path(address.database or "") if address.get_backend_name() == SQLITE else None
        self._opened: tuple[int, int] | None = None

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

    def _there(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0)
        return found.st_dev, found.st_ino
