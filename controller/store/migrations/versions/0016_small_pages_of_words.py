"""Small pages of the words on SQLite: FTS5 merges a fixed number of them at once, and whoever writes waits for it."""

from alembic import op

revision = "0016"
down_revision = "0015"

# bytes of a page, and what FTS5 has unless it is told otherwise
SMALL = "INSERT INTO search_index (search_index, rank) VALUES ('pgsz', 1000)"
USUAL = "INSERT INTO search_index (search_index, rank) VALUES ('pgsz', 4050)"


def upgrade() -> None:
    """Go to this revision."""
    _on_sqlite(SMALL)


def downgrade() -> None:
    """Go back to the one before."""
    _on_sqlite(USUAL)


def _on_sqlite(statement: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(statement)
