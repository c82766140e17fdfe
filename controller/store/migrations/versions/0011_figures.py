"""Figures: what was done is counted from indexes, and what failed is found by when it did."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

ENDED = sa.text("finished_at IS NOT NULL")
OF_TOOL = ["tool_name", "status", "finished_at", "duration_ms", "dry_run", "device_id"]
OF_DEVICE = ["device_id", "status", "finished_at", "dry_run"]


def upgrade() -> None:
    """Go to this revision."""
    for name, columns in (("of_tool", OF_TOOL), ("of_device", OF_DEVICE)):
        op.create_index(
            f"ix_tool_executions_{name}",
            "tool_executions",
            columns,
            unique=False,
            sqlite_where=ENDED,
            postgresql_where=ENDED,
        )
    op.drop_index("ix_tool_executions_success", "tool_executions")
    op.create_index(
        "ix_tool_executions_success", "tool_executions", ["success", "finished_at"], unique=False
    )


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_index("ix_tool_executions_success", "tool_executions")
    op.create_index("ix_tool_executions_success", "tool_executions", ["success"], unique=False)
    op.drop_index("ix_tool_executions_of_device", "tool_executions")
    op.drop_index("ix_tool_executions_of_tool", "tool_executions")
