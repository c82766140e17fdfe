"""Lists by two filters at once: a device's rows of one action, a user's conversations that go on.

And what is remembered of each scope, the latest first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Go to this revision."""
    _again("audit_log", "device_id", "device_id", "action", "number")
    _again("context_memory", "scope", "scope", "updated_at", "id")
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
    _again("context_memory", "scope", "scope")
    _again("audit_log", "device_id", "device_id", "number")


def _again(table: str, name: str, *columns: str) -> None:
    op.drop_index(f"ix_{table}_{name}", table)
    op.create_index(f"ix_{table}_{name}", table, list(columns), unique=False)
