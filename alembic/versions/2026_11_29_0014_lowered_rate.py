"""The rate that a 429 left to a tenant goes with its shard to another worker."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the rate beside the time until which nothing goes."""
    op.add_column("sending_tenants", sa.Column("lowered_to", sa.Float(), nullable=True))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("sending_tenants", "lowered_to")
