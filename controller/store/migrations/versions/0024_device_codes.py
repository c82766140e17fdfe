"""Programs without a browser that wait until a person lets them in."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import UtcTime

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "device_codes",
        sa.Column("hash", sa.String(), primary_key=True),
        sa.Column("user_code", sa.String(), nullable=False, unique=True),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("begun_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("interval_s", sa.Integer(), nullable=False),
        sa.Column("polled_at", UtcTime(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("username", sa.String(), sa.ForeignKey("users.username", ondelete="CASCADE"), nullable=True),
        sa.Column("decided_at", UtcTime(), nullable=True),
        sa.Column("sign_in_id", sa.String(), nullable=True),
        sa.Column("shown_to", sa.String(), nullable=True),
        sa.Column("shown_hash", sa.String(), nullable=True),
    )
    op.create_index("ix_device_codes_expires_at", "device_codes", ["expires_at"])
    op.create_index("ix_device_codes_shown_hash", "device_codes", ["shown_hash"])


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_table("device_codes")
