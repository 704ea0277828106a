"""ServiceTitan's customers, locations, contacts, bookings, leads and reference lists as last seen, and where each feed stands.

Columns are named as in the API, and may be null wherever its answers were seen to be. `modified_on` is ServiceTitan's own
and decides which of two versions of a record is newer; `written_at` is set by our own write until a feed brings the
record again.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from bridge.db.tables.base import metadata


def _address() -> list[Column[str]]:
    return [Column(name, Text) for name in ("street", "unit", "city", "state", "zip", "country")]


def _moments() -> list[Column[object]]:
    return [
        Column("created_on", DateTime(timezone=True)),
        Column("modified_on", DateTime(timezone=True), nullable=False),
        Column("written_at", DateTime(timezone=True)),
    ]


mirrored_customers = Table(
    "mirrored_customers",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("active", Boolean, nullable=False),
    Column("merged_to_id", BigInteger),
    Column("name", Text),
    Column("type", Text),
    *_address(),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("do_not_mail", Boolean),
    Column("do_not_service", Boolean),
    Column("national_account", Boolean),
    Column("custom_fields", JSONB),  # [{typeId, name, value}] as in the API; null for none
    Column("tag_type_ids", ARRAY(BigInteger)),
    *_moments(),
    Index(
        "ix_mirrored_customers_merged", "tenant_id", "merged_to_id", postgresql_where=text("merged_to_id IS NOT NULL")
    ),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
)

mirrored_locations = Table(
    "mirrored_locations",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger),
    Column("active", Boolean, nullable=False),
    Column("merged_to_id", BigInteger),
    Column("name", Text),
    *_address(),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("zone_id", BigInteger),
    Column("tax_zone_id", BigInteger),
    Column("custom_fields", JSONB),
    Column("tag_type_ids", ARRAY(BigInteger)),
    *_moments(),
    Index("ix_mirrored_locations_customer", "tenant_id", "customer_id"),
    Index(
        "ix_mirrored_locations_merged", "tenant_id", "merged_to_id", postgresql_where=text("merged_to_id IS NOT NULL")
    ),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
)

# Contacts of customers and of locations: two records even for the same person. A deleted one stays, not active.
mirrored_contacts = Table(
    "mirrored_contacts",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("party", Text(collation="C"), primary_key=True),  # customer | location: whose contact it is
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("owner_id", BigInteger),  # of the customer or location
    Column("active", Boolean, nullable=False),
    Column("type", Text),  # Phone | MobilePhone | Email | Fax, or what a later ServiceTitan calls it
    Column("value", Text),
    Column("memo", Text),
    Column("phone_number", Text),
    Column("do_not_text", Boolean),
    Column("preferences", JSONB),
    *_moments(),
    Index("ix_mirrored_contacts_owner", "tenant_id", "party", "owner_id"),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
)

mirrored_bookings = Table(
    "mirrored_bookings",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("active", Boolean, nullable=False),
    Column("external_id", Text),
    Column("booking_provider_id", BigInteger),
    Column("status", Text),
    Column("job_id", BigInteger),
    Column("dismissing_reason_id", BigInteger),
    Column("source", Text),
    Column("name", Text),
    *_address(),
    Column("customer_type", Text),
    Column("start", DateTime(timezone=True)),
    Column("summary", Text),
    Column("campaign_id", BigInteger),
    Column("business_unit_id", BigInteger),
    Column("job_type_id", BigInteger),
    Column("priority", Text),
    Column("is_first_time_client", Boolean),
    Column("is_send_confirmation_email", Boolean),
    Column("uploaded_images", ARRAY(Text)),
    *_moments(),
    Index("ix_mirrored_bookings_external_id", "tenant_id", "external_id"),
)

mirrored_leads = Table(
    "mirrored_leads",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("active", Boolean, nullable=False),
    Column("status", Text),
    Column("priority", Text),
    Column("customer_id", BigInteger),
    Column("location_id", BigInteger),
    Column("booking_id", BigInteger),
    Column("campaign_id", BigInteger),
    Column("business_unit_id", BigInteger),
    Column("job_type_id", BigInteger),
    Column("call_reason_id", BigInteger),
    Column("dismissing_reason_id", BigInteger),
    Column("follow_up_date", DateTime(timezone=True)),
    Column("summary", Text),
    Column("capture_source", Text),
    Column("lead_customer_name", Text),
    Column("lead_phone", Text),
    Column("lead_email", Text),
    Column("lead_street", Text),
    Column("lead_unit", Text),
    Column("lead_city", Text),
    Column("lead_state", Text),
    Column("lead_zip", Text),
    Column("lead_country", Text),
    Column("tag_type_ids", ARRAY(BigInteger)),
    *_moments(),
    Index("ix_mirrored_leads_customer_id", "tenant_id", "customer_id"),
)

# The short lists that the config names things of: one row per campaign, business unit, job type, tag type, call reason,
# custom field type and so on. `data` is the record as answered.
mirrored_lists = Table(
    "mirrored_lists",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("kind", Text(collation="C"), primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("modified_on", DateTime(timezone=True)),
)

# Where each feed of a tenant stands; written in the transaction of the page it covers. `place` is ServiceTitan's opaque
# continuation; `recent_place` runs ahead of it with the changes that the full feed still holds back.
cursors = Table(
    "cursors",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("feed", Text(collation="C"), primary_key=True),
    Column("place", Text, nullable=False, server_default=""),
    Column("recent_place", Text, nullable=False, server_default=""),
    Column("row_count", BigInteger, nullable=False, server_default="0"),
    Column("page_count", BigInteger, nullable=False, server_default="0"),
    Column("loaded_at", DateTime(timezone=True)),  # when the first load reached the end
    Column("synced_at", DateTime(timezone=True)),  # when the full feed was last read to its end
    Column("recent_at", DateTime(timezone=True)),  # when the recent changes were last read to their end
    Column("failed_at", DateTime(timezone=True)),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Column("stopped", Boolean, nullable=False, server_default="false"),  # until a person resumes it
    Column("skipped", BigInteger, nullable=False, server_default="0"),  # records that could not be read or kept
    Column("skipped_detail", Text, nullable=False, server_default=""),  # what was wrong with the last of them
)
