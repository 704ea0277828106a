"""A delivery is found by its tenant and id: an index of ids alone cost every insert and answered one page."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_deliveries_id", table_name="deliveries")


def downgrade() -> None:
    """Build it."""
    op.create_index("ix_deliveries_id", "deliveries", ["id"], unique=False)
