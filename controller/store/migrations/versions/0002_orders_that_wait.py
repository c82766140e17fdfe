"""Orders that wait, have a condition, undo another or go to a group; lives and clocks of devices."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import JsonColumn

revision = "0002"
down_revision = "0001"

_FAMILY = ("parent_id", "status", "released_at", "follows", "device_id")
_IN_A_GROUP = sa.text("parent_id IS NOT NULL")


def upgrade() -> None:
    """Go to this revision."""
    with op.batch_alter_table("devices") as devices:
        devices.add_column(sa.Column("boots", JsonColumn, nullable=True))
        devices.add_column(sa.Column("clock_skew_s", sa.Float(), nullable=True))
    with op.batch_alter_table("tool_executions") as orders:
        orders.add_column(sa.Column("when_online", sa.Boolean(), nullable=False, server_default=sa.false()))
        for name in ("condition", "rollout"):
            orders.add_column(sa.Column(name, JsonColumn, nullable=True))
        for name in ("undoes", "parent_id", "group_name"):
            orders.add_column(sa.Column(name, sa.String(), nullable=True))
        orders.create_index("ix_tool_executions_undoes", ["undoes"], unique=False)
        orders.create_index(
            "ix_tool_executions_family",
            list(_FAMILY),
            unique=False,
            sqlite_where=_IN_A_GROUP,
            postgresql_where=_IN_A_GROUP,
        )


def downgrade() -> None:
    """Go back to the one before."""
    with op.batch_alter_table("tool_executions") as orders:
        for name in ("family", "undoes"):
            orders.drop_index(f"ix_tool_executions_{name}")
        for name in ("rollout", "group_name", "parent_id", "undoes", "condition", "when_online"):
            orders.drop_column(name)
    with op.batch_alter_table("devices") as devices:
        devices.drop_column("clock_skew_s")
        devices.drop_column("boots")
