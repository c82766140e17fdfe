"""Schedules, and their last runs."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import JsonColumn, UtcTime

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=True),
        sa.Column("group_name", sa.String(), nullable=True),
        sa.Column("pace", JsonColumn, nullable=True),
        sa.Column("tool_name", sa.String(), nullable=False),
        sa.Column("parameters", JsonColumn, nullable=False),
        sa.Column("valid_s", sa.Float(), nullable=False),
        sa.Column("when_online", sa.Boolean(), nullable=False),
        sa.Column("condition", JsonColumn, nullable=True),
        sa.Column("cron", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("missed", sa.String(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=False),
        sa.Column("paused_at", UtcTime(), nullable=True),
        sa.Column("paused_by", sa.String(), nullable=True),
        sa.Column("paused_why", sa.String(), nullable=True),
        sa.Column("next_run_at", UtcTime(), nullable=True),
        sa.Column("last_run_at", UtcTime(), nullable=True),
        sa.Column("last_outcome", sa.String(), nullable=True),
        sa.Column("last_command_id", sa.String(), nullable=True),
    )
    op.create_index("ix_schedules_owner", "schedules", ["owner", "id"])
    op.create_index("ix_schedules_device_id", "schedules", ["device_id", "id"])
    op.create_index("ix_schedules_next_run_at", "schedules", ["next_run_at"])
    op.create_table(
        "schedule_runs",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column(
            "schedule_id", sa.String(), sa.ForeignKey("schedules.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("planned_at", UtcTime(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("command_id", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
    )
    op.create_index("ix_schedule_runs_schedule_id", "schedule_runs", ["schedule_id", "id"])


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_table("schedule_runs")
    op.drop_table("schedules")
