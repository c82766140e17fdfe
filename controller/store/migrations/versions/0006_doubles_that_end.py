"""When a second program of a device's name last showed: a conflict that is quiet is over."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import UtcTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Go to this revision."""
    with op.batch_alter_table("devices") as devices:
        devices.add_column(sa.Column("doubled_at", UtcTime(), nullable=True))
        devices.create_index("ix_devices_doubled_at", ["doubled_at"], unique=False)


def downgrade() -> None:
    """Go back to the one before."""
    with op.batch_alter_table("devices") as devices:
        devices.drop_index("ix_devices_doubled_at")
        devices.drop_column("doubled_at")
