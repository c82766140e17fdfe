"""Users get passwords, and what they open: sign-ins with their refresh tokens."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import UtcTime

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Go to this revision."""
    with op.batch_alter_table("users") as table:
        table.add_column(sa.Column("password_hash", sa.String(), nullable=True))
        table.add_column(sa.Column("password_at", UtcTime(), nullable=True))
        table.add_column(sa.Column("password_once", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("disabled_at", UtcTime(), nullable=True))
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column(
            "username", sa.String(), sa.ForeignKey("users.username", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("begun_at", UtcTime(), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("ended_why", sa.String(), nullable=True),
    )
    op.create_index("ix_sign_ins_begun_at", "sign_ins", ["begun_at"])
    op.create_index("ix_sign_ins_open", "sign_ins", ["username", "ended_at"])
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.String(), primary_key=True),
        sa.Column(
            "sign_in_id", sa.String(), sa.ForeignKey("sign_ins.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("issued_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=True),
    )
    op.create_index("ix_refresh_tokens_sign_in_id", "refresh_tokens", ["sign_in_id"])
    op.create_index("ix_refresh_tokens_expires_at", "refresh_tokens", ["expires_at"])


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_table("refresh_tokens")
    op.drop_table("sign_ins")
    with op.batch_alter_table("users") as table:
        for name in ("disabled_at", "password_once", "password_at", "password_hash"):
            table.drop_column(name)
