"""A customer's keys stand in one row beside it, which takes the place of an index of every key by customer."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, fill it from the keys that are there, and drop the index."""
    op.create_table(
        "customer_keys",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("keys", ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("location_ids", ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "customer_id", name=op.f("pk_customer_keys")),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
    )
    op.execute(
        "INSERT INTO customer_keys SELECT tenant_id, customer_id, array_agg(key), array_agg(location_id)"
        " FROM match_keys GROUP BY tenant_id, customer_id ORDER BY tenant_id, customer_id"
    )
    op.drop_index("ix_match_keys_customer", table_name="match_keys")


def downgrade() -> None:
    """Take the table away and build the index again."""
    op.create_index("ix_match_keys_customer", "match_keys", ["tenant_id", "customer_id"], unique=False)
    op.drop_table("customer_keys")
