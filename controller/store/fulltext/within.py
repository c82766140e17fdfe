"""Looking through one stretch of numbers, in the words of either database."""

from sqlalchemy import Connection

from controller.store.fulltext import on_postgresql, on_sqlite
from controller.store.fulltext.places import Place, Stretch, Wanted


def within(connection: Connection, wanted: Wanted, stretch: Stretch, *, limit: int) -> list[Place]:
    """The newest rows there that are wanted, newest first, at most `limit`."""
    if connection.dialect.name == "postgresql":
        return on_postgresql.within(connection, wanted, stretch, limit=limit)
    return on_sqlite.within(connection, wanted, stretch, limit=limit)


def first_stretch(connection: Connection, bounds: Stretch) -> tuple[Stretch, int, int]:
    """Where to begin, how much longer each next stretch is, and the longest one."""
    words = on_postgresql if connection.dialect.name == "postgresql" else on_sqlite
    return Stretch(max(bounds.low, bounds.high - words.FIRST), bounds.high), words.GROWTH, words.MOST
