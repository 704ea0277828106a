"""What was decided: each delivery's state, its decisions with all their evidence, holds, and config versions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "delivery_states",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("phones", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("phone_ends", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("emails", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("zip", sa.Text(), server_default="", nullable=False),
        sa.Column("campaign", sa.Text(), server_default="", nullable=False),
        sa.Column("record_ids", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("servicetitan_ids", postgresql.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "delivery_id", name=op.f("pk_delivery_states")),
    )
    op.create_index("ix_delivery_states_emails", "delivery_states", ["emails"], unique=False, postgresql_using="gin")
    op.create_index(
        "ix_delivery_states_phone_ends", "delivery_states", ["phone_ends"], unique=False, postgresql_using="gin"
    )
    op.create_index("ix_delivery_states_phones", "delivery_states", ["phones"], unique=False, postgresql_using="gin")
    op.create_index(
        "ix_delivery_states_record_ids", "delivery_states", ["record_ids"], unique=False, postgresql_using="gin"
    )
    op.create_index(
        "ix_delivery_states_servicetitan_ids",
        "delivery_states",
        ["servicetitan_ids"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "ix_delivery_states_name",
        "delivery_states",
        [sa.literal_column("to_tsvector('simple'::regconfig, name)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "ix_delivery_states_tenant_id_received_at", "delivery_states", ["tenant_id", "received_at"], unique=False
    )
    op.create_index(
        "ix_delivery_states_tenant_id_source_id_received_at",
        "delivery_states",
        ["tenant_id", "source_id", "received_at"],
        unique=False,
    )
    op.create_index(
        "ix_delivery_states_tenant_id_state_received_at",
        "delivery_states",
        ["tenant_id", "state", "received_at"],
        unique=False,
    )
    op.create_index(
        "ix_delivery_states_tenant_id_zip",
        "delivery_states",
        ["tenant_id", "zip"],
        unique=False,
        postgresql_where=sa.text("zip <> ''"),
    )
    op.create_table(
        "decisions",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.SmallInteger(), nullable=False),
        sa.Column("inquiry_key", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("config_version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("inquiry", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("match", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("plan", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("by", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_tenant_id_decided_at", "decisions", ["tenant_id", "decided_at"], unique=False)
    op.create_index("ix_decisions_tenant_id_delivery_id", "decisions", ["tenant_id", "delivery_id"], unique=False)
    op.create_table(
        "holds",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.BigInteger(), nullable=False),
        sa.Column("inquiry_key", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("commands", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.Text(), server_default="", nullable=False),
        sa.Column("choice", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_holds")),
    )
    op.create_index(
        "ix_holds_open", "holds", ["tenant_id", "opened_at"], unique=False, postgresql_where=sa.text("state = 'open'")
    )
    op.create_index("ix_holds_tenant_id_delivery_id", "holds", ["tenant_id", "delivery_id"], unique=False)
    op.create_table(
        "config_versions",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_config_versions")),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("config_versions")
    op.drop_table("holds")
    op.drop_table("decisions")
    op.drop_table("delivery_states")
