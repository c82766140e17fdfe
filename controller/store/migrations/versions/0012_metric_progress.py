"""How far what was measured is condensed."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import UtcTime

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "metric_progress",
        sa.Column("seconds", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("begun", UtcTime(), nullable=False),
        sa.Column("done", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("seconds"),
    )


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_table("metric_progress")
