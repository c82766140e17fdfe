"""Databases for tests: migrated once, then copied, since migrating takes longer than most tests."""

import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from controller.store import engine, migrate
from tests.postgres import Cluster, cluster

SQLITE, POSTGRESQL = "sqlite", "postgresql"
SWAPPED = "--other-database"


def kind_for(name: str, config: pytest.Config) -> str:
    """Where each kind has half of the tests: that of what has this name. Always the same, or with `SWAPPED` the other."""
    return (SQLITE, POSTGRESQL)[(zlib.crc32(name.encode()) + bool(config.getoption(SWAPPED))) % 2]


@contextmanager
def one_a_folder(make: Callable[[], AbstractContextManager[str]]) -> Iterator[Callable[[Path], str]]:
    """The URL of each folder's own database, made when it is asked for first; all are there until the block ends."""
    with ExitStack() as stack:
        urls: dict[Path, str] = {}

        def url_for(folder: Path) -> str:
            if folder not in urls:
                urls[folder] = stack.enter_context(make())
            return urls[folder]

        yield url_for


class Databases(Protocol):
    """Where databases of one kind come from."""

    kind: str
    writer: Engine  # of one that is migrated and stays empty: what is done there is rolled back

    def migrated(self) -> AbstractContextManager[str]:
        """The URL of a migrated database that nobody else uses; it is gone after the block."""

    def empty(self) -> AbstractContextManager[str]:
        """The URL of a database without any table."""


class Files:
    """SQLite's."""

    kind = SQLITE

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._original = folder / "original.db"
        _migrate(engine.sqlite_url(self._original))
        shutil.copyfile(self._original, folder / "rolled_back.db")
        self.writer = engine.writer(engine.sqlite_url(folder / "rolled_back.db"))
        self._count = 0

    @contextmanager
    def migrated(self) -> Iterator[str]:
        with self.empty() as url:
            shutil.copyfile(self._original, url.removeprefix("sqlite:///"))
            yield url

    @contextmanager
    def empty(self) -> Iterator[str]:
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        yield engine.sqlite_url(folder / "orion.db")
        shutil.rmtree(folder)


class Server:
    """PostgreSQL's."""

    kind = POSTGRESQL

    def __init__(self, running: Cluster) -> None:
        self._cluster = running
        self._original = running.create()
        _migrate(running.url(self._original))
        self.writer = engine.writer(running.url(running.create(self._original)))

    @contextmanager
    def migrated(self) -> Iterator[str]:
        with self._copy(self._original) as url:
            yield url

    @contextmanager
    def empty(self) -> Iterator[str]:
        with self._copy("template0") as url:
            yield url

    @contextmanager
    def _copy(self, template: str) -> Iterator[str]:
        name = self._cluster.create(template)
        yield self._cluster.url(name)
        self._cluster.drop(name)


@contextmanager
def databases_of(kind: str, folder: Path, *, place: Path | None = None) -> Iterator[Databases]:
    """All databases of one kind; a server that they need runs until the block ends, with its files in `place`."""
    if kind == SQLITE:
        files = Files(folder)
        yield files
        files.writer.dispose()
        return
    with cluster(place) as running:
        server = Server(running)
        yield server
        server.writer.dispose()


def _migrate(url: str) -> None:
    writer = engine.writer(url)
    migrate.upgrade(writer)
    writer.dispose()


def refuse_events(session: Session, condition: str) -> None:
    """Let the database have events that it will never take: those of this condition on `NEW`."""
    connection = session.connection()
    if connection.dialect.name == SQLITE:
        body = "BEGIN SELECT RAISE(ABORT, 'never'); END"
        connection.execute(text(f"CREATE TRIGGER refuse BEFORE INSERT ON events WHEN {condition} {body}"))
        return
    body = "BEGIN RAISE EXCEPTION 'never'; END"
    connection.execute(
        text(
            f"CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS '{body}'".replace(
                "'never'", "''never''"
            )
        )
    )
    row = f"FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION never()"
    connection.execute(text(f"CREATE TRIGGER refuse BEFORE INSERT ON events {row}"))
