"""The words on SQLite in sixteen indexes: what FTS5 merges at once grows with the rows that hold a common word.

It does not stop in the middle of a word's rows, and who writes waits until it is through.
"""

from alembic import op

from controller.store.migrations.word_indexes import ONE, divide, many, unite

revision = "0017"
down_revision = "0016"

PARTS, BLOCK = 16, 65_536  # numbers of a block


def upgrade() -> None:
    """Go to this revision."""
    if op.get_bind().dialect.name == "sqlite":
        divide(ONE, PARTS, BLOCK)


def downgrade() -> None:
    """Go back to the one before."""
    if op.get_bind().dialect.name == "sqlite":
        unite(many(PARTS))
