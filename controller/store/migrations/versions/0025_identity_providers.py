"""Users who sign in with an identity provider, and who is there at present."""

import sqlalchemy as sa
from alembic import op

from controller.store.types import UtcTime

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "user_identities",
        sa.Column("issuer", sa.String(), primary_key=True),
        sa.Column("subject", sa.String(), primary_key=True),
        sa.Column(
            "username", sa.String(), sa.ForeignKey("users.username", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("linked_by", sa.String(), nullable=False),
        sa.Column("linked_at", UtcTime(), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=True),
    )
    op.create_index("ix_user_identities_username", "user_identities", ["username"])
    op.create_table(
        "oidc_attempts",
        sa.Column("state_hash", sa.String(), primary_key=True),
        sa.Column("browser_hash", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("user_code", sa.String(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
    )
    op.create_index("ix_oidc_attempts_expires_at", "oidc_attempts", ["expires_at"])


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_table("oidc_attempts")
    op.drop_table("user_identities")
