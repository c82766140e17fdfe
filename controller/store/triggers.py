"""What a table does by itself stays when SQLite changes it, which drops the old one after making a copy.

A revision whose table is replaced need not know what is hung on it. One that takes a trigger away
for good takes its table away too, or gives another one the same name.
"""

from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from controller.store.engine import SQLITE
from controller.store.fulltext import tables

_KNOWN = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
_TABLES = text("SELECT name FROM sqlite_master WHERE type = 'table'")


class Kept:
    """The triggers of full-text search, seen after each step of a migration."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def after_a_step(self, ctx: MigrationContext, *_told: Any, **_named: Any) -> None:
        """Hang on again what the step dropped with its table."""
        connection = ctx.connection
        if connection is None or connection.dialect.name != SQLITE:
            return
        if tables.NAME not in connection.execute(_TABLES).scalars().all():
            self._seen = {}
            return
        found: dict[str, str] = {row.name: row.sql for row in connection.execute(_KNOWN)}
        for name, statement in self._seen.items():
            if tables.is_derived(name) and name not in found:
                connection.exec_driver_sql(statement)
        self._seen |= found
