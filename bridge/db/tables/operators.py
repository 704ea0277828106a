"""The people: who may come in, what they did, what runs in their name, and what they are told without asking."""

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
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from bridge.db.tables.base import metadata

# People belong to no tenant; `tenant_ids` says whose data they may see, null is everybody's.
users = Table(
    "users",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("login", Text, nullable=False, unique=True),  # lower case
    Column("role", Text, nullable=False),  # viewer | operator | admin
    Column("password_hash", Text, nullable=False, server_default=""),  # argon2id; empty opens no door
    Column("tenant_ids", ARRAY(BigInteger)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("disabled_at", DateTime(timezone=True)),
)

# The cookie holds 32 random bytes, the table their SHA-256: a read of the table opens no session.
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", BigInteger, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("tenant_id", BigInteger, nullable=False, server_default="0"),  # the one looked at
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("ix_sessions_user_id", "user_id"),
    Index("ix_sessions_expires_at", "expires_at"),
)

# Failed log-ins by name and by address, counted in a window: what throttles guessing on every replica at once.
login_failures = Table(
    "login_failures",
    metadata,
    Column("subject", Text, primary_key=True),  # hash of login or address
    Column("failures", Integer, nullable=False),
    Column("window_ends_at", DateTime(timezone=True), nullable=False),
)

login_links = Table(
    "login_links",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", BigInteger, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("hint", Text, nullable=False),  # its first letters, to tell tokens apart
    Column("scopes", ARRAY(Text), nullable=False),  # read | write | admin | pii
    Column("tenant_ids", ARRAY(BigInteger)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)

# What a write answered, for a day: the same key and body get the same answer, another body is refused.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("token_id", BigInteger, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("status", SmallInteger),  # null while the first request runs
    Column("media_type", Text, nullable=False, server_default=""),
    Column("body", LargeBinary),
    Index("ix_idempotency_keys_started_at", "started_at"),
)

# Every click of a person and every write of a token. Tenant 0 holds what belongs to no tenant.
audit_log = Table(
    "audit_log",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by", Text, nullable=False),
    Column("action", Text, nullable=False),  # noun.past_participle
    Column("subject", Text, nullable=False),  # delivery:12, hold:3, source:website
    Column("delivery_id", BigInteger),
    Column("reason", Text, nullable=False, server_default=""),
    Column("detail", JSONB, nullable=False, server_default="{}"),
    Index("ix_audit_log_tenant_id_at", "tenant_id", "at"),
    Index(
        "ix_audit_log_tenant_id_delivery_id",
        "tenant_id",
        "delivery_id",
        postgresql_where=text("delivery_id IS NOT NULL"),
    ),
)

# An action on many deliveries: the list is frozen when it starts, worked off in the background, and can be stopped.
bulk_runs = Table(
    "bulk_runs",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("action", Text, nullable=False),  # replay | retry | hold | dismiss
    Column("query", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    Column("stopped_by", Text, nullable=False, server_default=""),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("skipped", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Index("ix_bulk_runs_open", "tenant_id", "id", postgresql_where=text("finished_at IS NULL")),
)

bulk_run_items = Table(
    "bulk_run_items",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("run_id", BigInteger, primary_key=True),
    Column("delivery_id", BigInteger, primary_key=True),
)

# Received per source and hour: what the rhythm of a source is learned from without counting the history again.
delivery_hours = Table(
    "delivery_hours",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("hour", DateTime(timezone=True), primary_key=True),
    Column("received", Integer, nullable=False),
)

# One row per thing that is wrong now or was: opened once, told again after the cooldown, closed when it is right again.
alerts = Table(
    "alerts",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column(
        "kind", Text, primary_key=True
    ),  # tenant_held | effect_dead | feed_stopped | source_quiet | review_late | work_late
    Column("subject", Text, primary_key=True),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Column("text", Text, nullable=False),
    Column("muted_until", DateTime(timezone=True)),
)

# Failures that a person has seen: resolved, or quiet until a time.
problem_marks = Table(
    "problem_marks",
    metadata,
    Column("tenant_id", BigInteger, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("resolved_at", DateTime(timezone=True)),
    Column("muted_until", DateTime(timezone=True)),
    Column("by", Text, nullable=False),
)
