"""What is over: which event another one resolves, also before it has come."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Go to this revision."""
    with op.batch_alter_table("events") as events:
        events.add_column(sa.Column("resolves", sa.String(), nullable=True))
    op.create_index(
        "ix_events_resolves",
        "events",
        ["resolves"],
        unique=False,
        sqlite_where=sa.text("resolves IS NOT NULL"),
        postgresql_where=sa.text("resolves IS NOT NULL"),
    )


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_index("ix_events_resolves", "events")
    with op.batch_alter_table("events") as events:
        events.drop_column("resolves")
