"""Up to where each chain of the audit was archived."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import JsonColumn

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "audit_cuts",
        sa.Column("instance", sa.String(), nullable=False),
        sa.Column("statement", JsonColumn, nullable=False),
        sa.PrimaryKeyConstraint("instance"),
    )


def downgrade() -> None:
    """Go back to the one before. What was archived then looks as if it had been taken away."""
    op.drop_table("audit_cuts")
