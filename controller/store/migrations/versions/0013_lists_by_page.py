"""Lists a page at a time: each filter's rows are found in the order they are shown in.

Indexes are widened rather than added, so that what is written pays little for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

# what is behind the filter is what the list is sorted by
_WIDER = {
    ("tool_executions", "device_id"): ("device_id", "id"),
    ("tool_executions", "status"): ("status", "id"),
    ("approvals", "status"): ("status", "id"),
    ("sessions", "user"): ("user", "started_at"),
    ("sessions", "is_active"): ("is_active", "started_at"),
    ("messages", "session_id"): ("session_id", "number"),
    ("context_memory", "category"): ("category", "updated_at"),
    ("audit_log", "action"): ("action", "number"),
    ("audit_log", "device_id"): ("device_id", "number"),
    ("events", "event_type"): ("event_type", "received_at"),
    ("events", "severity"): ("severity", "received_at"),
}


def upgrade() -> None:
    """Go to this revision."""
    for (table, column), columns in _WIDER.items():
        _replace(table, column, columns)
    op.drop_index("ix_tool_executions_open", "tool_executions")
    op.create_index("ix_tool_executions_open", "tool_executions", ["device_id", "status", "id"], unique=False)
    op.drop_index("ix_events_resolved", "events")
    op.drop_index("ix_events_open", "events")
    _partial("ix_events_open", ["device_id", "received_at"], sqlite="resolved = 0", postgresql="NOT resolved")
    _partial("ix_events_unresolved", ["received_at"], sqlite="resolved = 0", postgresql="NOT resolved")
    _partial("ix_events_over", ["created_at"], sqlite="resolved = 1", postgresql="resolved")
    op.create_index("ix_messages_created_at", "messages", ["created_at"], unique=False)
    op.create_index("ix_context_memory_updated_at", "context_memory", ["updated_at"], unique=False)


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_index("ix_context_memory_updated_at", "context_memory")
    op.drop_index("ix_messages_created_at", "messages")
    for name in ("over", "unresolved", "open"):
        op.drop_index(f"ix_events_{name}", "events")
    _partial("ix_events_open", ["device_id", "created_at"], sqlite="NOT resolved", postgresql="NOT resolved")
    op.create_index("ix_events_resolved", "events", ["resolved"], unique=False)
    op.drop_index("ix_tool_executions_open", "tool_executions")
    op.create_index("ix_tool_executions_open", "tool_executions", ["device_id", "status"], unique=False)
    for table, column in _WIDER:
        _replace(table, column, (column,))


def _replace(table: str, column: str, columns: tuple[str, ...]) -> None:
    name = f"ix_{table}_{column}"
    op.drop_index(name, table)
    op.create_index(name, table, list(columns), unique=False)


def _partial(name: str, columns: list[str], *, sqlite: str, postgresql: str) -> None:
    op.create_index(
        name,
        "events",
        columns,
        unique=False,
        sqlite_where=sa.text(sqlite),
        postgresql_where=sa.text(postgresql),
    )
