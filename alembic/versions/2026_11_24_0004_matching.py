"""Keys that mirrored records are looked up by, weights, what people decided, and asks that are still open."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "match_keys",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("location_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key", "customer_id", "location_id", name=op.f("pk_match_keys")),
    )
    op.create_index("ix_match_keys_customer", "match_keys", ["tenant_id", "customer_id"], unique=False)
    op.create_table(
        "match_weights",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(collation="C"), nullable=False),
        sa.Column("in_force", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("trained_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("weights", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "version", name=op.f("pk_match_weights")),
    )
    op.create_index(
        "uq_match_weights_in_force", "match_weights", ["tenant_id"], unique=True, postgresql_where=sa.text("in_force")
    )
    op.create_table(
        "links",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.Text(collation="C"), nullable=False),
        sa.Column("record_id", sa.Text(collation="C"), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("location_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "source_id", "record_id", name=op.f("pk_links")),
    )
    op.create_index("ix_links_customer", "links", ["tenant_id", "customer_id"], unique=False)
    op.create_table(
        "pair_decisions",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("party_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=True),
        sa.Column("same", sa.Boolean(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "party_key", "customer_id", name=op.f("pk_pair_decisions")),
    )
    op.create_index("ix_pair_decisions_customer", "pair_decisions", ["tenant_id", "customer_id"], unique=False)
    op.create_table(
        "open_asks",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("party_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person", sa.Text(collation="C"), nullable=False),
        sa.Column("place", sa.Text(collation="C"), nullable=False),
        sa.Column("ask_key", sa.Text(collation="C"), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("effect_key", sa.Text(collation="C"), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("inquiry_key", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "party_key", "person", "place", name=op.f("pk_open_asks")),
    )
    op.create_index("ix_open_asks_closes_at", "open_asks", ["closes_at"], unique=False)
    op.create_index("ix_open_asks_effect", "open_asks", ["tenant_id", "effect_key"], unique=False)
    op.create_table(
        "match_samples",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("inquiry_key", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger(), nullable=True),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("weights_version", sa.Text(), server_default="", nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_right", sa.Boolean(), nullable=True),
        sa.Column("reviewed_by", sa.Text(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_match_samples")),
    )
    op.create_table(
        "match_certificates",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("certified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_certified", sa.Boolean(), nullable=False),
        sa.Column("reviewed", sa.Integer(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("upper_bound", sa.Double(), nullable=False),
        sa.Column("notes", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "certified_at", name=op.f("pk_match_certificates")),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("match_certificates")
    op.drop_table("match_samples")
    op.drop_table("open_asks")
    op.drop_table("pair_decisions")
    op.drop_table("links")
    op.drop_table("match_weights")
    op.drop_table("match_keys")
