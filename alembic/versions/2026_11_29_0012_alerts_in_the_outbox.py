"""Alerts stand in the outbox like every other effect: what was told is its history, what waits is carried over."""

import zlib

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# A receiver sees those that wait under a new `webhook-id`: one that was sent before without an answer may come twice, here once.
_CARRY = """
WITH old AS MATERIALIZED (
  SELECT -m.tenant_id AS tenant, nextval('effect_ids') AS effect, md5(concat('alert_messages:', m.tenant_id, ':', m.id))::uuid AS key,
    concat('alert:', m.address, ':', replace(m.body ->> 'type', 'bridge.alert.', ''), ':', m.body ->> 'subject') AS lane,
    json_strip_nulls(json_build_object('type', 'send_alert', 'address', m.address, 'tenant', m.tenant_id,
      'kind', replace(m.body ->> 'type', 'bridge.alert.', ''), 'subject', m.body ->> 'subject', 'text', m.body ->> 'text',
      'at', m.body ->> 'timestamp', 'is_over', CASE m.body ->> 'state' WHEN 'over' THEN true END)) AS command, m.*
  FROM (SELECT * FROM alert_messages ORDER BY tenant_id, id) AS m
), keys AS (
  INSERT INTO effect_keys (tenant_id, key, effect_id, fingerprint) SELECT tenant, key, effect, 0 FROM old
), kept AS (
  INSERT INTO effects (tenant_id, id, created_at, key, kind, lane, source_id, delivery_id, decision_id, rule, priority, command)
  SELECT tenant, effect, created_at, key, 'send_alert', lane, '', 0, 0, 'alerts', 5, command FROM old
), told AS (
  INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch, reason, detail)
  SELECT tenant, effect, coalesce(sent_at, due_at), attempts, CASE WHEN sent_at IS NULL THEN 'deferred' ELSE 'succeeded' END,
    CASE WHEN sent_at IS NOT NULL THEN 1 WHEN is_dead THEN 2 ELSE 0 END, 0,
    CASE WHEN sent_at IS NULL THEN 'alert_refused' ELSE 'ok' END, detail
  FROM old WHERE attempts > 0
), dead AS (
  INSERT INTO dead_messages (tenant_id, effect_id, created_at, died_at, kind, lane, source_id, sends, reason, detail)
  SELECT tenant, effect, created_at, due_at, 'send_alert', lane, '', attempts, 'alert_refused', detail FROM old WHERE is_dead
)
INSERT INTO outbox (tenant_id, id, created_at, due_at, state, priority, sends, spent, kind, lane, source_id)
SELECT tenant, effect, created_at, due_at, 0, 5, attempts, attempts, 'send_alert', lane, ''
FROM old WHERE sent_at IS NULL AND NOT is_dead
"""


def upgrade() -> None:
    """Carry over what was told and what waits, and drop the table of its own."""
    connection = op.get_bind()
    for (tenant,) in connection.execute(sa.text("SELECT DISTINCT tenant_id FROM alert_messages")).fetchall():
        shard = zlib.crc32(str(-tenant).encode()) % 64
        connection.execute(
            sa.text("INSERT INTO sending_tenants (tenant_id, shard) VALUES (:tenant, :shard) ON CONFLICT DO NOTHING"),
            {"tenant": -tenant, "shard": shard},
        )
    connection.exec_driver_sql(_CARRY)
    op.drop_table("alert_messages")
    op.drop_column("alerts", "told_at")


def downgrade() -> None:
    """Make the table again, empty: what waits in the outbox is not sent by the version before."""
    op.add_column("alerts", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "alert_messages",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_dead", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alert_messages")),
    )
    op.create_index(
        "ix_alert_messages_due",
        "alert_messages",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("sent_at IS NULL AND NOT is_dead"),
    )
