"""Memory, links between devices, what they measured, and the chain of the audit."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import JsonColumn, UtcTime

revision = "0009"
down_revision = "0008"

_OPEN = sa.text("NOT resolved")
_CHAIN = (("instance", sa.String()), ("position", sa.Integer()), ("previous", sa.String()), ("hash", sa.String()))


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "context_memory",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", JsonColumn, nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=True),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("tags", JsonColumn, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("scope", "owner", "key"),
    )
    for name in ("category", "device_id", "expires_at", "key", "scope"):
        op.create_index(f"ix_context_memory_{name}", "context_memory", [name], unique=False)
    op.create_table(
        "device_links",
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("other_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("added_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["other_id"], ["devices.device_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device_id", "other_id", "kind"),
    )
    op.create_index("ix_device_links_other_id", "device_links", ["other_id"], unique=False)
    op.create_table(
        "metrics",
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("mean", sa.Float(), nullable=False),
        sa.Column("low", sa.Float(), nullable=False),
        sa.Column("high", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device_id", "measure", "seconds", "at"),
    )
    op.create_index("ix_metrics_age", "metrics", ["seconds", "at"], unique=False)
    with op.batch_alter_table("audit_log") as audit:
        for name, kind in _CHAIN:
            audit.add_column(sa.Column(name, kind, nullable=True))
        audit.create_unique_constraint("uq_audit_log_position", ["instance", "position"])
    op.create_index(
        "ix_events_open",
        "events",
        ["device_id", "created_at"],
        unique=False,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_index("ix_events_open", "events")
    with op.batch_alter_table("audit_log") as audit:
        audit.drop_constraint("uq_audit_log_position", type_="unique")
        for name, _ in reversed(_CHAIN):
            audit.drop_column(name)
    op.drop_table("metrics")
    op.drop_table("device_links")
    op.drop_table("context_memory")
