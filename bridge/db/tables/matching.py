"""Keys that mirrored records are looked up by, weights, what people decided, and asks that are still open."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Double, Identity, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from bridge.db.tables.base import metadata

# One row per (comparable value, record): the value is hashed to 64 bits. `location_id` 0 is the customer itself. The key
# covers a look-up; which rows a customer has stands in `customer_keys`.
match_keys = Table(
    "match_keys",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("location_id", BigInteger, primary_key=True, autoincrement=False),
)

# The keys of a customer and its locations, in two arrays of one length: what `match_keys` holds of it, or will once a first
# load is through.
customer_keys = Table(
    "customer_keys",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("keys", ARRAY(BigInteger), nullable=False),
    Column("location_ids", ARRAY(BigInteger), nullable=False),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.05"},
)

# Every fit that was made, so that an old decision can be explained; one per tenant is in force.
match_weights = Table(
    "match_weights",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("version", Text(collation="C"), primary_key=True),
    Column("in_force", Boolean, nullable=False, server_default="false"),
    Column("trained_at", DateTime(timezone=True), nullable=False),
    Column("weights", JSONB, nullable=False),
    Index("uq_match_weights_in_force", "tenant_id", unique=True, postgresql_where=text("in_force")),
)

# A sender's record and what it is in ServiceTitan; `customer_id` null: a person said that it is nobody there.
links = Table(
    "links",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("source_id", Text(collation="C"), primary_key=True),
    Column("record_id", Text(collation="C"), primary_key=True),
    Column("customer_id", BigInteger),
    Column("location_id", BigInteger),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    Index("ix_links_customer", "tenant_id", "customer_id"),
)

# What a person said of a party (a contact with a name, hashed) and a customer: the same, or never these two.
pair_decisions = Table(
    "pair_decisions",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("party_key", BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("location_id", BigInteger),
    Column("same", Boolean, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    Index("ix_pair_decisions_customer", "tenant_id", "customer_id"),
)

# A party that asked for service and whose booking later inquiries join until `closes_at`. One row per way to recognise the
# party; the key is the backstop against a second booking should two owners ever meet.
open_asks = Table(
    "open_asks",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("party_key", BigInteger, primary_key=True, autoincrement=False),
    Column("person", Text(collation="C"), primary_key=True),
    Column("place", Text(collation="C"), primary_key=True),
    Column("ask_key", Text(collation="C"), nullable=False),
    Column("customer_id", BigInteger),
    Column("effect_key", Text(collation="C"), nullable=False),
    Column("source_id", Text, nullable=False),
    Column("inquiry_key", Text, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("closes_at", DateTime(timezone=True), nullable=False),
    Index("ix_open_asks_effect", "tenant_id", "effect_key"),
    Index("ix_open_asks_closes_at", "closes_at"),
)

# Matches drawn for review, so that the rate of wrong ones is measured and not believed.
match_samples = Table(
    "match_samples",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("inquiry_key", Text, nullable=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("location_id", BigInteger),
    Column("probability", Double, nullable=False),
    Column("weights_version", Text, nullable=False, server_default=""),
    Column("drawn_at", DateTime(timezone=True), nullable=False),
    Column("is_right", Boolean),
    Column("reviewed_by", Text),
    Column("reviewed_at", DateTime(timezone=True)),
    Column("decision_id", BigInteger, nullable=False, server_default="0"),
    Index(
        "uq_match_samples_decision",
        "tenant_id",
        "decision_id",
        unique=True,
        postgresql_where=text("decision_id <> 0"),
    ),
)

# What certification found: the auto threshold of a tenant is lowered only by a row here.
match_certificates = Table(
    "match_certificates",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("certified_at", DateTime(timezone=True), primary_key=True),
    Column("is_certified", Boolean, nullable=False),
    Column("reviewed", Integer, nullable=False),
    Column("wrong", Integer, nullable=False),
    Column("upper_bound", Double, nullable=False),
    Column("notes", ARRAY(Text)),
)
