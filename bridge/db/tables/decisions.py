"""What was decided: each delivery's state, its decisions with all their evidence, holds, and config versions."""

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, SmallInteger, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from bridge.db.tables.base import metadata

# One narrow row a delivery from the moment it is first processed: what lists and searches read.
delivery_states = Table(
    "delivery_states",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("delivery_id", BigInteger, primary_key=True),
    Column("source_id", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False),  # processed | ignored | held | failed
    Column("reason", Text, nullable=False),
    Column("sentence", Text, nullable=False, server_default=""),
    Column("name", Text, nullable=False, server_default=""),  # lower case, of the first inquiry
    Column("phones", ARRAY(Text), nullable=False, server_default="{}"),  # E.164, or digits where it is none
    Column("phone_ends", ARRAY(Text), nullable=False, server_default="{}"),  # last four digits
    Column("emails", ARRAY(Text), nullable=False, server_default="{}"),  # lower case
    Column("zip", Text, nullable=False, server_default=""),
    Column("campaign", Text, nullable=False, server_default=""),
    Column("record_ids", ARRAY(Text), nullable=False, server_default="{}"),  # the sender's ids
    Column("servicetitan_ids", ARRAY(BigInteger), nullable=False, server_default="{}"),
    Index("ix_delivery_states_tenant_id_received_at", "tenant_id", "received_at"),
    Index("ix_delivery_states_tenant_id_state_received_at", "tenant_id", "state", "received_at"),
    Index("ix_delivery_states_tenant_id_source_id_received_at", "tenant_id", "source_id", "received_at"),
    Index("ix_delivery_states_name", text("to_tsvector('simple'::regconfig, name)"), postgresql_using="gin"),
    Index("ix_delivery_states_tenant_id_zip", "tenant_id", "zip", postgresql_where=text("zip <> ''")),
    Index("ix_delivery_states_phones", "phones", postgresql_using="gin"),
    Index("ix_delivery_states_phone_ends", "phone_ends", postgresql_using="gin"),
    Index("ix_delivery_states_emails", "emails", postgresql_using="gin"),
    Index("ix_delivery_states_record_ids", "record_ids", postgresql_using="gin"),
    Index("ix_delivery_states_servicetitan_ids", "servicetitan_ids", postgresql_using="gin"),
)

# Append-only; a replay adds rows. Inquiry, match and plan are kept as data, so nothing is ever derived again to explain.
decisions = Table(
    "decisions",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("delivery_id", BigInteger, nullable=False),
    Column("ordinal", SmallInteger, nullable=False),
    Column("inquiry_key", Text, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    Column("config_version", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("inquiry", JSONB),
    Column("match", JSONB),
    Column("plan", JSONB),
    Column("by", Text, nullable=False, server_default=""),  # who asked for a replay; empty for the flow itself
    Index("ix_decisions_tenant_id_delivery_id", "tenant_id", "delivery_id"),
    Index("ix_decisions_tenant_id_decided_at", "tenant_id", "decided_at"),
)

# What waits for a person, open until it is released or dismissed.
holds = Table(
    "holds",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("delivery_id", BigInteger, nullable=False),
    Column("decision_id", BigInteger, nullable=False),
    Column("inquiry_key", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("commands", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),  # open | released | dismissed
    Column("settled_at", DateTime(timezone=True)),
    Column("settled_by", Text, nullable=False, server_default=""),
    Column("choice", JSONB),
    Index("ix_holds_open", "tenant_id", "opened_at", postgresql_where=text("state = 'open'")),
    Index("ix_holds_tenant_id_delivery_id", "tenant_id", "delivery_id"),
    # What a person refused to have written to a record, asked for before each merge.
    Index(
        "ix_holds_refused",
        "tenant_id",
        text("((commands -> 0) ->> 'target'::text)"),
        postgresql_where=text("state = 'dismissed' AND choice ? 'effect_id'"),
    ),
)

# The text of each config that ever decided something; a decision names its version.
config_versions = Table(
    "config_versions",
    metadata,
    Column("version", Text, primary_key=True),
    Column("first_used_at", DateTime(timezone=True), nullable=False),
    Column("text", Text, nullable=False),
)
