"""What a person refused to have written to a record is found by that record."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the index."""
    op.create_index(
        "ix_holds_refused",
        "holds",
        ["tenant_id", sa.text("((commands -> 0) ->> 'target'::text)")],
        unique=False,
        postgresql_where=sa.text("state = 'dismissed' AND choice ? 'effect_id'"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_holds_refused", table_name="holds")
