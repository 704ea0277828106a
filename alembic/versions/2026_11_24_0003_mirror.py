"""ServiceTitan's customers, locations, contacts, bookings, leads and reference lists as last seen, and where each feed stands.

Columns are named as in the API, and may be null wherever its answers were seen to be. `modified_on` is ServiceTitan's own
and decides which of two versions of a record is newer; `written_at` is set by our own write until a feed brings the
record again.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "mirrored_customers",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("merged_to_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("street", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("zip", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("do_not_mail", sa.Boolean(), nullable=True),
        sa.Column("do_not_service", sa.Boolean(), nullable=True),
        sa.Column("national_account", sa.Boolean(), nullable=True),
        sa.Column("custom_fields", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("tag_type_ids", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("created_on", sa.DateTime(timezone=True), nullable=True),
        sa.Column("modified_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_mirrored_customers")),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
    )
    op.create_index(
        "ix_mirrored_customers_merged",
        "mirrored_customers",
        ["tenant_id", "merged_to_id"],
        unique=False,
        postgresql_where=sa.text("merged_to_id IS NOT NULL"),
    )
    op.create_table(
        "mirrored_locations",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("merged_to_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("street", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("zip", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("zone_id", sa.BigInteger(), nullable=True),
        sa.Column("tax_zone_id", sa.BigInteger(), nullable=True),
        sa.Column("custom_fields", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("tag_type_ids", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("created_on", sa.DateTime(timezone=True), nullable=True),
        sa.Column("modified_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_mirrored_locations")),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
    )
    op.create_index("ix_mirrored_locations_customer", "mirrored_locations", ["tenant_id", "customer_id"], unique=False)
    op.create_index(
        "ix_mirrored_locations_merged",
        "mirrored_locations",
        ["tenant_id", "merged_to_id"],
        unique=False,
        postgresql_where=sa.text("merged_to_id IS NOT NULL"),
    )
    op.create_table(
        "mirrored_contacts",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("party", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("memo", sa.Text(), nullable=True),
        sa.Column("phone_number", sa.Text(), nullable=True),
        sa.Column("do_not_text", sa.Boolean(), nullable=True),
        sa.Column("preferences", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_on", sa.DateTime(timezone=True), nullable=True),
        sa.Column("modified_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "party", "id", name=op.f("pk_mirrored_contacts")),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
    )
    op.create_index("ix_mirrored_contacts_owner", "mirrored_contacts", ["tenant_id", "party", "owner_id"], unique=False)
    op.create_table(
        "mirrored_bookings",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("booking_provider_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("dismissing_reason_id", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("street", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("zip", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("customer_type", sa.Text(), nullable=True),
        sa.Column("start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("campaign_id", sa.BigInteger(), nullable=True),
        sa.Column("business_unit_id", sa.BigInteger(), nullable=True),
        sa.Column("job_type_id", sa.BigInteger(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=True),
        sa.Column("is_first_time_client", sa.Boolean(), nullable=True),
        sa.Column("is_send_confirmation_email", sa.Boolean(), nullable=True),
        sa.Column("uploaded_images", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("created_on", sa.DateTime(timezone=True), nullable=True),
        sa.Column("modified_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_mirrored_bookings")),
    )
    op.create_index("ix_mirrored_bookings_external_id", "mirrored_bookings", ["tenant_id", "external_id"], unique=False)
    op.create_table(
        "mirrored_leads",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("location_id", sa.BigInteger(), nullable=True),
        sa.Column("booking_id", sa.BigInteger(), nullable=True),
        sa.Column("campaign_id", sa.BigInteger(), nullable=True),
        sa.Column("business_unit_id", sa.BigInteger(), nullable=True),
        sa.Column("job_type_id", sa.BigInteger(), nullable=True),
        sa.Column("call_reason_id", sa.BigInteger(), nullable=True),
        sa.Column("dismissing_reason_id", sa.BigInteger(), nullable=True),
        sa.Column("follow_up_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("capture_source", sa.Text(), nullable=True),
        sa.Column("lead_customer_name", sa.Text(), nullable=True),
        sa.Column("lead_phone", sa.Text(), nullable=True),
        sa.Column("lead_email", sa.Text(), nullable=True),
        sa.Column("lead_street", sa.Text(), nullable=True),
        sa.Column("lead_unit", sa.Text(), nullable=True),
        sa.Column("lead_city", sa.Text(), nullable=True),
        sa.Column("lead_state", sa.Text(), nullable=True),
        sa.Column("lead_zip", sa.Text(), nullable=True),
        sa.Column("lead_country", sa.Text(), nullable=True),
        sa.Column("tag_type_ids", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("created_on", sa.DateTime(timezone=True), nullable=True),
        sa.Column("modified_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_mirrored_leads")),
    )
    op.create_index("ix_mirrored_leads_customer_id", "mirrored_leads", ["tenant_id", "customer_id"], unique=False)
    op.create_table(
        "mirrored_lists",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("modified_on", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "kind", "id", name=op.f("pk_mirrored_lists")),
    )
    op.create_table(
        "cursors",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("feed", sa.Text(collation="C"), nullable=False),
        sa.Column("place", sa.Text(), server_default="", nullable=False),
        sa.Column("recent_place", sa.Text(), server_default="", nullable=False),
        sa.Column("row_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("page_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("stopped", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "feed", name=op.f("pk_cursors")),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("cursors")
    op.drop_table("mirrored_lists")
    op.drop_table("mirrored_leads")
    op.drop_table("mirrored_bookings")
    op.drop_table("mirrored_contacts")
    op.drop_table("mirrored_locations")
    op.drop_table("mirrored_customers")
