"""What arrived: deliveries, the queue of those not processed yet, and the requests that were refused."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from bridge.db.tables.base import metadata

# Written once, never updated: 2 KB rewritten into the WAL per touch would cost more than the insert.
deliveries = Table(
    "deliveries",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("source_id", Text, nullable=False),
    Column("dedup_key", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("method", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("verified_by", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    UniqueConstraint("tenant_id", "source_id", "dedup_key"),
    Index("ix_deliveries_tenant_id_received_at", "tenant_id", "received_at"),
    postgresql_with={"toast_tuple_target": "8160"},  # compressing a body of 2 KB would cost 40 % of the insert's CPU
)

# Narrow and hot: a row lives from the delivery's commit to the commit of its decision.
delivery_queue = Table(
    "delivery_queue",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("nonce", Text, nullable=False, server_default=""),
    Column("by", Text, nullable=False, server_default=""),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.02", "autovacuum_vacuum_cost_delay": "0"},
)

# Bounded: pruned to the newest rows per source. No body and no header value is kept, so no personal data.
rejected_requests = Table(
    "rejected_requests",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("tenant_id", BigInteger),
    Column("source_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("method", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("body_bytes", Integer, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Index("ix_rejected_requests_source_id_id", "source_id", "id"),
    Index("ix_rejected_requests_received_at", "received_at"),
)

# When each secret of a source last opened the door: tells when an old one may be retired.
secret_uses = Table(
    "secret_uses",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("secret_name", Text, primary_key=True),
    Column("last_used_at", DateTime(timezone=True), nullable=False),
)

# What hydration fetched, beside the delivery, so that a replay needs no network.
fetched = Table(
    "fetched",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("delivery_id", BigInteger, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("status", SmallInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("fetched_at", DateTime(timezone=True), nullable=False),
)
