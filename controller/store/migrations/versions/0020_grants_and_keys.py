"""Users get roles on single devices and groups, and keys for their programs."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import JsonColumn, UtcTime

revision = "0020"
down_revision = "0019"


def _user() -> sa.Column[str]:
    return sa.Column(
        "username", sa.String(), sa.ForeignKey("users.username", ondelete="CASCADE"), nullable=False
    )


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "grants",
        sa.Column("id", sa.String(), primary_key=True),
        _user(),
        sa.Column("device_id", sa.String(), sa.ForeignKey("devices.device_id", ondelete="CASCADE")),
        sa.Column("group_name", sa.String(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("granted_by", sa.String(), nullable=False),
        sa.Column("granted_at", UtcTime(), nullable=False),
        sa.UniqueConstraint("username", "device_id"),
        sa.UniqueConstraint("username", "group_name"),
    )
    op.create_index("ix_grants_username", "grants", ["username"])
    op.create_index("ix_grants_device_id", "grants", ["device_id"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(), primary_key=True),
        _user(),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("scopes", JsonColumn, nullable=False),
        sa.Column("devices", JsonColumn, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=True),
        sa.Column("last_used_at", UtcTime(), nullable=True),
        sa.Column("revoked_at", UtcTime(), nullable=True),
    )
    op.create_index("ix_api_keys_username", "api_keys", ["username"])
    op.add_column("tool_executions", sa.Column("api_key_id", sa.String(), nullable=True))


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_column("tool_executions", "api_key_id")
    op.drop_table("api_keys")
    op.drop_table("grants")
