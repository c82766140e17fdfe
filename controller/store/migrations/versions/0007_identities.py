"""Keys of devices, join codes, users of the broker, and what they asked."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import UtcTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Go to this revision."""
    with op.batch_alter_table("devices") as devices:
        devices.add_column(sa.Column("public_key", sa.String(), nullable=True))
        devices.add_column(sa.Column("enrolled_at", UtcTime(), nullable=True))
        devices.add_column(sa.Column("suspended_until", UtcTime(), nullable=True))
        devices.create_index("ix_devices_suspended_until", ["suspended_until"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("invited_by", sa.String(), nullable=False),
        sa.Column("proof_key", sa.String(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=True),
        sa.Column("used_key", sa.String(), nullable=True),
        sa.Column("faults", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_invitations_device_id", "invitations", ["device_id"], unique=False)
    op.create_index("ix_invitations_expires_at", "invitations", ["expires_at"], unique=False)
    op.create_table(
        "users",
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("added_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("username"),
    )
    op.create_table(
        "mqtt_inputs",
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.Column("answered_at", UtcTime(), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("username", "id"),
    )
    op.create_index("ix_mqtt_inputs_received_at", "mqtt_inputs", ["received_at"], unique=False)


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_table("mqtt_inputs")
    op.drop_table("users")
    op.drop_table("invitations")
    with op.batch_alter_table("devices") as devices:
        devices.drop_index("ix_devices_suspended_until")
        devices.drop_column("suspended_until")
        devices.drop_column("enrolled_at")
        devices.drop_column("public_key")
