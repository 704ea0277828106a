"""The outbox: effects, messages, intents, attempts, ownership and what operators set."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = """
CREATE SEQUENCE effect_ids;
CREATE TABLE effect_keys (
  tenant_id bigint NOT NULL, key uuid NOT NULL, effect_id bigint NOT NULL, fingerprint bigint NOT NULL,
  CONSTRAINT pk_effect_keys PRIMARY KEY (tenant_id, key));
CREATE TABLE effects (
  tenant_id bigint NOT NULL, id bigint NOT NULL, created_at timestamptz NOT NULL, key uuid NOT NULL,
  kind text NOT NULL, lane text NOT NULL, source_id text NOT NULL, delivery_id bigint NOT NULL,
  decision_id bigint NOT NULL, rule text NOT NULL, priority smallint NOT NULL, waits_for bigint[],
  command json NOT NULL,
  CONSTRAINT pk_effects PRIMARY KEY (tenant_id, id, created_at)) PARTITION BY RANGE (created_at);
CREATE INDEX ix_effects_tenant_id_delivery_id ON effects (tenant_id, delivery_id);
CREATE TABLE effects_p2_rest PARTITION OF effects DEFAULT;
CREATE TABLE outbox (
  tenant_id bigint NOT NULL, id bigint NOT NULL, created_at timestamptz NOT NULL, due_at timestamptz NOT NULL,
  sent_at timestamptz, state smallint NOT NULL DEFAULT 0, priority smallint NOT NULL,
  sends smallint NOT NULL DEFAULT 0, spent smallint NOT NULL DEFAULT 0, kind text NOT NULL, lane text NOT NULL,
  source_id text NOT NULL, waits_for bigint[], reason text NOT NULL DEFAULT '',
  CONSTRAINT pk_outbox PRIMARY KEY (tenant_id, id))
  WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX ix_outbox_waiting ON outbox (tenant_id, state, due_at) WHERE state <> 0;
CREATE TABLE intents (
  tenant_id bigint NOT NULL, id bigint NOT NULL, shard smallint NOT NULL, epoch bigint NOT NULL,
  sent_at timestamptz NOT NULL, effect_ids bigint[] NOT NULL, sends smallint[] NOT NULL,
  CONSTRAINT pk_intents PRIMARY KEY (tenant_id, id))
  WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE TABLE attempts (
  tenant_id bigint NOT NULL, effect_id bigint NOT NULL, at timestamptz NOT NULL, number smallint NOT NULL,
  outcome text NOT NULL, settles smallint NOT NULL DEFAULT 0, is_late boolean NOT NULL DEFAULT false,
  epoch bigint NOT NULL, sent_at timestamptz, milliseconds integer, status smallint,
  reason text NOT NULL DEFAULT '', detail text NOT NULL DEFAULT '', by text NOT NULL DEFAULT '',
  created json, problem json) PARTITION BY RANGE (at);
CREATE INDEX ix_attempts_tenant_id_effect_id ON attempts (tenant_id, effect_id);
CREATE TABLE attempts_p2_rest PARTITION OF attempts DEFAULT;
CREATE TABLE dead_messages (
  tenant_id bigint NOT NULL, effect_id bigint NOT NULL, created_at timestamptz NOT NULL,
  died_at timestamptz NOT NULL, kind text NOT NULL, lane text NOT NULL, source_id text NOT NULL,
  sends smallint NOT NULL, reason text NOT NULL, detail text NOT NULL DEFAULT '',
  CONSTRAINT pk_dead_messages PRIMARY KEY (tenant_id, effect_id));
CREATE INDEX ix_dead_messages_tenant_id_died_at ON dead_messages (tenant_id, died_at);
CREATE TABLE effect_conflicts (
  tenant_id bigint NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, effect_id bigint NOT NULL,
  delivery_id bigint NOT NULL, decision_id bigint NOT NULL, found_at timestamptz NOT NULL, command json NOT NULL,
  CONSTRAINT pk_effect_conflicts PRIMARY KEY (tenant_id, id));
CREATE TABLE sending_tenants (
  tenant_id bigint NOT NULL, shard smallint NOT NULL, version bigint NOT NULL DEFAULT 0,
  rate double precision, spent_until timestamptz,
  CONSTRAINT pk_sending_tenants PRIMARY KEY (tenant_id));
CREATE INDEX ix_sending_tenants_shard ON sending_tenants (shard);
CREATE TABLE pauses (
  tenant_id bigint NOT NULL, scope text NOT NULL, name text NOT NULL, paused_at timestamptz NOT NULL,
  by text NOT NULL, reason text NOT NULL,
  CONSTRAINT pk_pauses PRIMARY KEY (tenant_id, scope, name));
CREATE TABLE breakers (
  tenant_id bigint NOT NULL, family text NOT NULL, error_class text NOT NULL, state text NOT NULL,
  failures integer NOT NULL, opened_at timestamptz, probe_at timestamptz, override text NOT NULL DEFAULT '',
  by text NOT NULL DEFAULT '',
  CONSTRAINT pk_breakers PRIMARY KEY (tenant_id, family, error_class));
CREATE TABLE bulk_actions (
  tenant_id bigint NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, action text NOT NULL, filter json NOT NULL,
  by text NOT NULL, reason text NOT NULL, started_at timestamptz NOT NULL, finished_at timestamptz,
  total integer NOT NULL, done integer NOT NULL DEFAULT 0, skipped integer NOT NULL DEFAULT 0,
  CONSTRAINT pk_bulk_actions PRIMARY KEY (tenant_id, id));
CREATE TABLE bulk_items (
  tenant_id bigint NOT NULL, bulk_id bigint NOT NULL, effect_id bigint NOT NULL,
  CONSTRAINT pk_bulk_items PRIMARY KEY (tenant_id, bulk_id, effect_id));
CREATE TABLE workers (
  id bigint GENERATED ALWAYS AS IDENTITY, name text NOT NULL, started_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL, left_at timestamptz,
  CONSTRAINT pk_workers PRIMARY KEY (id));
CREATE INDEX ix_workers_alive ON workers (id) WHERE left_at IS NULL;
CREATE TABLE shard_leases (
  shard smallint NOT NULL, epoch bigint NOT NULL DEFAULT 0, worker_id bigint, expires_at timestamptz,
  renewed_at timestamptz,
  CONSTRAINT pk_shard_leases PRIMARY KEY (shard))
  WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.02);
INSERT INTO shard_leases (shard) SELECT generate_series(0, 63);
"""

NAMES = (
    "shard_leases workers bulk_items bulk_actions breakers pauses sending_tenants effect_conflicts dead_messages "
    "attempts intents outbox effects effect_keys"
)


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    for name in NAMES.split():
        op.execute(f"DROP TABLE {name}")
    op.execute("DROP SEQUENCE effect_ids")
