"""Alembic, driven from code: the schema is brought up to date at every start.

A file is copied before its schema changes. A server's database is changed only when somebody
says so (`orion db migrate`): a copy of it is theirs to make.
"""

import logging
import os
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from controller.errors import Conflict, OrionError
from controller.store import engine as engines
from controller.store import ledger, space

logger = logging.getLogger(__name__)

SCRIPTS = Path(__file__).parent / "migrations"


class SchemaNewer(Conflict):
    """A newer Orion made this database."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"The database was made by a newer Orion: its schema is {revision}, this one knows {newest()} and "
            "older. Install that release again, or restore a backup."
        )


class SchemaOlder(Conflict):
    """The schema of a server's database is older, and nobody has said that it may be changed."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"The database has the schema {revision}, and this Orion needs {newest()}. Stop what uses it, make "
            "a copy of it (orion db backup), and bring it up to date: orion db migrate"
        )


class NotCopied(OrionError):
    """A database file could not be copied, so its schema was left as it is."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} has an older schema and could not be copied before it changes ({reason}), so it was left as "
            "it is. Make room beside it, and start again."
        )


def configuration(engine: Engine) -> Config:
    """Alembic's configuration for this database; no ini file is needed."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["engine"] = engine
    return config


def newest() -> str:
    """The revision that this program knows."""
    return str(_scripts().get_current_head())


def current(engine: Engine) -> str | None:
    """The revision of a database; None: there is nothing in it.

    Raises:
        SchemaNewer: this program does not know it.
    """
    with engine.connect() as connection:
        return revision_of(connection)


def revision_of(connection: Connection) -> str | None:
    """The same of a database that is open.

    Raises:
        SchemaNewer: this program does not know it.
    """
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and not is_known(found):
        raise SchemaNewer(found)
    return found


def is_known(revision: str) -> bool:
    """Whether this program can bring a database of this revision up to date."""
    return revision in {each.revision for each in _scripts().walk_revisions()}


def prepare(engine: Engine) -> None:
    """Bring the schema up to date at a start, as far as that may be done unasked.

    Raises:
        SchemaNewer: a newer Orion made this database.
        SchemaOlder: it is a server's and has to be migrated first.
        NotCopied: it is a file, and there is no room to copy it before it changes.
        Unfinished: a move into it has not ended.
    """
    found = current(engine)
    with engine.connect() as connection:
        if ledger.is_open(connection):
            raise ledger.Unfinished
    if found == newest():
        return
    if found is not None:
        if engine.dialect.name != engines.SQLITE:
            raise SchemaOlder(found)
        copy = copied(engine, found)
        logger.warning(
            "The database goes from schema %s to %s; as it was it stays in %s", found, newest(), copy
        )
    upgrade(engine)


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision. A file of an earlier release can get shorter then, as a new one can.

    Raises:
        SchemaNewer: a newer Orion made this database.
    """
    found = current(engine)
    command.upgrade(configuration(engine), "head")
    if found is not None:
        try:
            space.make_shrinkable(engine)
        except (sqlite3.Error, DBAPIError) as error:
            logger.warning("The database file could not be rebuilt, and will never get shorter: %s", error)


def copied(engine: Engine, revision: str) -> Path:
    """A copy of a database file beside it, as whole as it is now; for its owner's eyes only.

    Raises:
        NotCopied: there is no room for it, or the file cannot be read.
    """
    path = Path(engine.url.database or "")
    copy = path.with_name(f"{path.stem}-{revision}{path.suffix}")
    draft = copy.with_name(f"{copy.name}.new")
    try:
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(draft)) as target:
            source.backup(target)
        draft.replace(copy)
    except (OSError, sqlite3.Error) as error:
        draft.unlink(missing_ok=True)
        raise NotCopied(path, str(error)) from error
    return copy


@cache  # each look loads all revisions
def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(SCRIPTS))
