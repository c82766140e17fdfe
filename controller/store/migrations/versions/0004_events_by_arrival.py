"""Events by arrival: the newest are found without reading all of them."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Go to this revision."""
    op.create_index("ix_events_received_at", "events", ["received_at"], unique=False)
    op.create_index("ix_events_of_device", "events", ["device_id", "received_at"], unique=False)


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_index("ix_events_of_device", "events")
    op.drop_index("ix_events_received_at", "events")
