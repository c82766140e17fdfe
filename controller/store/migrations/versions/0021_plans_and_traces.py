"""A plan gets an id of its own: that of a trace may be a caller's. What has no command is found by its trace."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

NO_COMMAND = "trace_id IS NOT NULL AND command_id IS NULL"


def upgrade() -> None:
    """Go to this revision."""
    op.add_column("tool_executions", sa.Column("plan_id", sa.String(), nullable=True))
    op.add_column("tool_executions", sa.Column("asked_in", sa.String(), nullable=True))
    op.execute("UPDATE tool_executions SET plan_id = trace_id")
    op.create_index("ix_tool_executions_plan_id", "tool_executions", ["plan_id"], unique=False)
    op.create_index(
        "ix_audit_log_of_trace",
        "audit_log",
        ["trace_id"],
        unique=False,
        sqlite_where=sa.text(NO_COMMAND),
        postgresql_where=sa.text(NO_COMMAND),
    )


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_index("ix_audit_log_of_trace", "audit_log")
    op.drop_index("ix_tool_executions_plan_id", "tool_executions")
    with op.batch_alter_table("tool_executions") as table:
        table.drop_column("asked_in")
        table.drop_column("plan_id")
