"""The outbox: effects for ever, messages while they wait, intents while they fly, attempts as they happened, who owns what."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Identity,
    Index,
    Integer,
    Sequence,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from bridge.db.tables.base import metadata

effect_ids = Sequence("effect_ids", metadata=metadata)

# What makes an effect one effect, with no expiry. Random by nature and therefore narrow; nothing bulky carries such an index.
effect_keys = Table(
    "effect_keys",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("key", UUID(as_uuid=True), primary_key=True),
    Column("effect_id", BigInteger, nullable=False),
    Column("fingerprint", BigInteger, nullable=False),  # of the command: same key with another one is a conflict
)

# Written once, never updated. Old months are dropped as partitions.
effects = Table(
    "effects",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("created_at", DateTime(timezone=True), primary_key=True),
    Column("key", UUID(as_uuid=True), nullable=False),
    Column("kind", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("delivery_id", BigInteger, nullable=False),
    Column("decision_id", BigInteger, nullable=False),
    Column("rule", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("waits_for", ARRAY(BigInteger)),
    Column("command", JSON, nullable=False),
    Index("ix_effects_tenant_id_delivery_id", "tenant_id", "delivery_id"),
    postgresql_partition_by="RANGE (created_at)",
)

# Narrow and hot: a row lives from put to its end. The claim reads ranges of the key; there is no other index to keep.
outbox = Table(
    "outbox",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # the effect's
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("sent_at", DateTime(timezone=True)),  # when the last byte of the send in doubt may have left
    Column("state", SmallInteger, nullable=False, server_default="0"),  # 0 ready, 1 in doubt, 2 held for a person
    Column("priority", SmallInteger, nullable=False),
    Column(
        "sends", SmallInteger, nullable=False, server_default="0"
    ),  # outcomes recorded; with an intent it tells a crash
    Column("spent", SmallInteger, nullable=False, server_default="0"),  # attempts counted against the bound
    Column("kind", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("waits_for", ARRAY(BigInteger)),
    Column("reason", Text, nullable=False, server_default=""),
    Index("ix_outbox_waiting", "tenant_id", "state", "due_at", postgresql_where=text("state <> 0")),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.02", "autovacuum_vacuum_cost_delay": "0"},
)

# What is about to be sent, one row a tenant and batch: committed before any byte leaves, gone with the last outcome.
intents = Table(
    "intents",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("shard", SmallInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("sent_at", DateTime(timezone=True), nullable=False),
    Column("effect_ids", ARRAY(BigInteger), nullable=False),
    Column("sends", ARRAY(SmallInteger), nullable=False),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.02", "autovacuum_vacuum_cost_delay": "0"},
)

# Append-only evidence. `late` marks an outcome of a worker that no longer owned the tenant; it moves nothing by itself.
attempts = Table(
    "attempts",
    metadata,
    Column("tenant_id", BigInteger, nullable=False),
    Column("effect_id", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column(
        "outcome", Text, nullable=False
    ),  # succeeded rejected deferred in_doubt found absent repeated crashed retried released cancelled
    Column("settles", SmallInteger, nullable=False, server_default="0"),  # 0 not, 1 done, 2 dead, 3 cancelled
    Column("is_late", Boolean, nullable=False, server_default=text("false")),
    Column("epoch", BigInteger, nullable=False),
    Column("sent_at", DateTime(timezone=True)),
    Column("milliseconds", Integer),
    Column("status", SmallInteger),
    Column("reason", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Column("by", Text, nullable=False, server_default=""),
    Column("created", JSON),  # ids of what it created, by part
    Column("problem", JSON),
    Index("ix_attempts_tenant_id_effect_id", "tenant_id", "effect_id"),
    postgresql_partition_by="RANGE (at)",
)

# What will not be sent unless a person says so.
dead_messages = Table(
    "dead_messages",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("effect_id", BigInteger, primary_key=True, autoincrement=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("died_at", DateTime(timezone=True), nullable=False),
    Column("kind", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("sends", SmallInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Index("ix_dead_messages_tenant_id_died_at", "tenant_id", "died_at"),
)

# The same key asked for with another command: kept, never silent.
effect_conflicts = Table(
    "effect_conflicts",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("effect_id", BigInteger, nullable=False),
    Column("delivery_id", BigInteger, nullable=False),
    Column("decision_id", BigInteger, nullable=False),
    Column("found_at", DateTime(timezone=True), nullable=False),
    Column("command", JSON, nullable=False),
)

# One row a tenant that ever sent. `version` moves with each operator action: an owner that planned with another reads again.
sending_tenants = Table(
    "sending_tenants",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("shard", SmallInteger, nullable=False),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("rate", Float),  # an operator's own requests per second; null is the configured one
    # What the last 429 left: until when nothing goes, and the rate from then on. A new owner goes on from it.
    Column("spent_until", DateTime(timezone=True)),
    Column("lowered_to", Float),
    Index("ix_sending_tenants_shard", "shard"),
)

pauses = Table(
    "pauses",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("scope", Text, primary_key=True),  # tenant | source | lane
    Column("name", Text, primary_key=True),  # of the source or lane; empty for the tenant
    Column("paused_at", DateTime(timezone=True), nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

# Written when one opens or closes, so that it is seen, survives its owner, and can be overridden.
breakers = Table(
    "breakers",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("family", Text, primary_key=True),
    Column("error_class", Text, primary_key=True),
    Column("state", Text, nullable=False),  # closed | open | half_open
    Column("failures", Integer, nullable=False),
    Column("opened_at", DateTime(timezone=True)),
    Column("probe_at", DateTime(timezone=True)),
    Column("override", Text, nullable=False, server_default=""),  # '' | closed | open
    Column("by", Text, nullable=False, server_default=""),
)

# An operator's action on many messages: the list is frozen when it starts.
bulk_actions = Table(
    "bulk_actions",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("action", Text, nullable=False),  # retry | cancel | release
    Column("filter", JSON, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("skipped", Integer, nullable=False, server_default="0"),
)

bulk_items = Table(
    "bulk_items",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("bulk_id", BigInteger, primary_key=True),
    Column("effect_id", BigInteger, primary_key=True),
)

workers = Table(
    "workers",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("left_at", DateTime(timezone=True)),
    Index("ix_workers_alive", "id", postgresql_where=text("left_at IS NULL")),
)

# 64 rows, for ever. Whoever holds one with its epoch may write for the tenants of the shard; a taker raises the epoch.
shard_leases = Table(
    "shard_leases",
    metadata,
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("worker_id", BigInteger),
    Column("expires_at", DateTime(timezone=True)),
    Column("renewed_at", DateTime(timezone=True)),
    postgresql_with={"fillfactor": "20", "autovacuum_vacuum_scale_factor": "0.02"},
)
