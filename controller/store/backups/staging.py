"""A database that is made ready beside the one in use, and takes its place at once or not at all.

What was there is kept aside. While a place is held, nobody else works with the database.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine, make_url

from controller.store import engine as engines
from controller.store.backups.manifest import Manifest
from controller.store.backups.staged_file import PlaceOfFile
from controller.store.backups.staged_schema import PlaceOfSchema


class Place(Protocol):
    """Where a database is, or will be; held for whoever restores one."""

    taken: bool  # whether something is there

    def draft(self) -> Path:
        """A folder with room for the parts of a backup; it is gone afterwards."""

    def stage(self, database: Path, manifest: Manifest, tell: Callable[[int, int], None]) -> Engine:
        """Fill the staged database from the copy in a backup, and open it."""

    def swap(self, at: datetime) -> str | None:
        """Put the staged database into the place; where the old one is kept now."""


@contextmanager
def held(url: str) -> Iterator[Place]:
    """The place of the database at this URL.

    Raises:
        DatabaseInUse: somebody works with it.
    """
    if make_url(url).get_backend_name() == engines.SQLITE:
        place: PlaceOfFile | PlaceOfSchema = PlaceOfFile(Path(make_url(url).database or ""))
    else:
        place = PlaceOfSchema(url)
    try:
        place.hold()
        yield place
    finally:
        place.let_go()
