"""A feed counts the records it could not keep."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; nothing was counted before."""
    op.add_column("cursors", sa.Column("skipped", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("cursors", sa.Column("skipped_detail", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Take the columns away."""
    op.drop_column("cursors", "skipped_detail")
    op.drop_column("cursors", "skipped")
