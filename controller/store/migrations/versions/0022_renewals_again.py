"""A refresh token that was used knows what took its place."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Go to this revision."""
    with op.batch_alter_table("refresh_tokens") as table:
        table.add_column(sa.Column("successor", sa.String(), nullable=True))


def downgrade() -> None:
    """Go back to the one before."""
    with op.batch_alter_table("refresh_tokens") as table:
        table.drop_column("successor")
