"""The words on SQLite in sixty-four indexes: merging rows that were deleted, FTS5 runs through a whole block.

It counts the pages that it writes, and such a merge writes none.
"""

from alembic import op

from controller.store.migrations.word_indexes import divide, many

revision = "0018"
down_revision = "0017"

FORMER = (16, 65_536)  # indexes, and the numbers of a block
PARTS, BLOCK = 64, 4_096


def upgrade() -> None:
    """Go to this revision."""
    if op.get_bind().dialect.name == "sqlite":
        divide(many(FORMER[0]), PARTS, BLOCK)


def downgrade() -> None:
    """Go back to the one before."""
    if op.get_bind().dialect.name == "sqlite":
        divide(many(PARTS), *FORMER)
