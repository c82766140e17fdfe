"""Signs of life: since when a device that beats is silent, its pace and its clock."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import JsonColumn, UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Go to this revision."""
    with op.batch_alter_table("devices") as devices:
        devices.add_column(sa.Column("silent_since", UtcTime(), nullable=True))
        devices.add_column(sa.Column("pulse", JsonColumn, nullable=True))
        devices.create_index("ix_devices_silent_since", ["silent_since"], unique=False)


def downgrade() -> None:
    """Go back to the one before."""
    with op.batch_alter_table("devices") as devices:
        devices.drop_index("ix_devices_silent_since")
        devices.drop_column("pulse")
        devices.drop_column("silent_since")
