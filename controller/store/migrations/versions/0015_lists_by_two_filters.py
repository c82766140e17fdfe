"""Lists by two filters at once: a device's rows of one action, a user's conversations that go on."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Go to this revision."""
    _of_a_device("device_id", "action", "number")
    op.create_index(
        "ix_sessions_of_user",
        "sessions",
        ["user", "started_at"],
        unique=False,
        sqlite_where=sa.text("is_active = 1"),
        postgresql_where=sa.text("is_active"),
    )


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_index("ix_sessions_of_user", "sessions")
    _of_a_device("device_id", "number")


def _of_a_device(*columns: str) -> None:
    op.drop_index("ix_audit_log_device_id", "audit_log")
    op.create_index("ix_audit_log_device_id", "audit_log", list(columns), unique=False)
