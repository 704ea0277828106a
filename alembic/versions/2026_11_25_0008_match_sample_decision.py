"""A drawn match knows the decision it was drawn from."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nothing was drawn before."""
    op.add_column("match_samples", sa.Column("decision_id", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index(
        "uq_match_samples_decision",
        "match_samples",
        ["tenant_id", "decision_id"],
        unique=True,
        postgresql_where=sa.text("decision_id <> 0"),
    )


def downgrade() -> None:
    """Take the column away."""
    op.drop_index("uq_match_samples_decision", table_name="match_samples")
    op.drop_column("match_samples", "decision_id")
