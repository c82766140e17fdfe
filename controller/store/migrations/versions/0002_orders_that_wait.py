"""Orders that wait, have a condition, undo another or go to a group; lives and clocks of devices."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import JsonColumn

revision = "0002"
down_revision = "0001"

_ORDERS = ("undoes", "parent_id")


def upgrade() -> None:
    """Go to this revision."""
    with op.batch_alter_table("devices") as devices:
        devices.add_column(sa.Column("boots", JsonColumn, nullable=True))
        devices.add_column(sa.Column("clock_skew_s", sa.Float(), nullable=True))
    with op.batch_alter_table("tool_executions") as orders:
        orders.add_column(
            sa.Column("when_online", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        for name in ("condition", "rollout"):
            orders.add_column(sa.Column(name, JsonColumn, nullable=True))
        for name in (*_ORDERS, "group_name"):
            orders.add_column(sa.Column(name, sa.String(), nullable=True))
        for name in _ORDERS:
            orders.create_index(f"ix_tool_executions_{name}", [name], unique=False)


def downgrade() -> None:
    """Go back to the one before."""
    with op.batch_alter_table("tool_executions") as orders:
        for name in _ORDERS:
            orders.drop_index(f"ix_tool_executions_{name}")
        for name in ("rollout", "group_name", "parent_id", "undoes", "condition", "when_online"):
            orders.drop_column(name)
    with op.batch_alter_table("devices") as devices:
        devices.drop_column("clock_skew_s")
        devices.drop_column("boots")
