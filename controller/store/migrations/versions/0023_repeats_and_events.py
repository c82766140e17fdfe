"""Requests that may come twice get their keys, and events who took note of them and who said they were over."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import UtcTime

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "request_keys",
        sa.Column("username", sa.String(), primary_key=True),
        sa.Column("hash", sa.String(), primary_key=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("command_id", sa.String(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
    )
    op.create_index("ix_request_keys_at", "request_keys", ["at"])
    op.add_column("events", sa.Column("acknowledged_by", sa.String(), nullable=True))
    op.add_column("events", sa.Column("resolved_by", sa.String(), nullable=True))
    op.create_index(
        "ix_events_acknowledged",
        "events",
        ["received_at"],
        sqlite_where=sa.text("acknowledged = 1"),
        postgresql_where=sa.text("acknowledged"),
    )


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_index("ix_events_acknowledged", "events")
    op.drop_column("events", "resolved_by")
    op.drop_column("events", "acknowledged_by")
    op.drop_table("request_keys")
