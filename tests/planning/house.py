"""A house with a real database: deliveries arrive, are decided by a config, and people answer."""

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec

from bridge import connectors, pipeline
from bridge.bootstrap import doors_of, source_faults
from bridge.db import ownership
from bridge.db.database import Database
from bridge.db.match_keys import renew
from bridge.db.ownership import shard_of
from bridge.domain.ids import DeliveryId, TenantId
from bridge.domain.plan import Plan
from bridge.intake import queue
from bridge.operations.audit import Act
from bridge.operations.deliveries import replay
from bridge.pipeline.deciders import ConfiguredDeciders
from bridge.settings import Settings, load_texts
from tests.planning.facts import NOW

TENANT = TenantId(7)
CONFIG = """
tenants:
  acme:
    tenant_id: 7
    environment: simulator
    time_zone: America/Chicago
sources:
  web: {connector: generic, tenant: acme, unsigned: true}
  crm:
    connector: generic
    tenant: acme
    unsigned: true
    options: {ask: contact, record: id}
    updates: {fields: {plan: {custom_field: Plan}}}
"""
ACT = Act(by="person:ann", now=NOW, reason="test")


def settings_of(rules: str = "", config: str = CONFIG) -> Settings:
    """The house's config with rules."""
    found = load_texts({"c.yaml": config + rules}, {}, kinds=connectors.kinds(), inspect=source_faults)
    assert isinstance(found, Settings), [str(fault) for fault in found] if isinstance(found, tuple) else found
    return found


class House:
    """One tenant with its worker, decided step by step."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.use(settings)
        self._epoch = 0
        self._count = 0

    def use(self, settings: Settings) -> None:
        """Decide by another config from now on."""
        self.settings = settings
        self.deciders = ConfiguredDeciders(settings, doors=doors_of(settings))

    async def open(self) -> "House":
        """Own the tenant."""
        async with self.database.begin() as tx:
            worker = await ownership.join(tx, name="test", now=NOW)
            taken = await ownership.take(tx, worker_id=worker, limit=64, now=NOW, lease=timedelta(days=400))
            self._epoch = taken[shard_of(TENANT)]
        return self

    async def mirror(self, customer: int, name: str, *, phone: str = "", field: str = "", region: str = "US") -> None:
        """Let a customer stand in the mirror, with a location in Oak Street and the custom field Plan."""
        async with self.database.begin() as tx:
            place = ("12 Oak St", "Austin", "TX", "78701")
            fields = json.dumps([{"typeId": 50, "name": "Plan", "value": field}]) if field else None
            await tx.execute(
                "INSERT INTO mirrored_customers (tenant_id, id, active, name, type, street, city, state, zip, custom_fields, modified_on)"
                " VALUES (%s, %s, true, %s, 'Residential', %s, %s, %s, %s, %s, %s)",
                [TENANT, customer, name, *place, fields, NOW],
            )
            await tx.execute(
                "INSERT INTO mirrored_locations (tenant_id, id, customer_id, active, name, street, city, state, zip, modified_on)"
                " VALUES (%s, %s, %s, true, %s, %s, %s, %s, %s, %s)",
                [TENANT, customer + 1000, customer, name, *place, NOW],
            )
            await tx.execute(
                "INSERT INTO mirrored_contacts (tenant_id, party, id, owner_id, active, type, value, modified_on)"
                " VALUES (%s, 'customer', %s, %s, true, 'MobilePhone', %s, %s)",
                [TENANT, customer + 2000, customer, phone, NOW],
            )
            await renew(tx, TENANT, [customer], region=region)

    def forget_arrivals(self) -> None:
        """Count deliveries from the first again, so that the next get the ids that earlier ones had."""
        self._count = 0

    async def arrive(self, source: str, payload: Any, *, event: str = "", at: datetime = NOW) -> DeliveryId:
        """Store a delivery and let it wait."""
        self._count += 1
        async with self.database.begin() as tx:
            row = await (
                await tx.execute(
                    "INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers,"
                    " body, verified_by, trace_id) VALUES (%s, %s, %s, %s, %s, 'POST', %s, %s, %s, 'test', '') RETURNING id",
                    [
                        TENANT,
                        source,
                        f"d{self._count}",
                        event,
                        at,
                        f"/hooks/{source}",
                        json.dumps([["content-type", "application/json"]]),
                        json.dumps(payload).encode(),
                    ],
                )
            ).fetchone()
            assert row is not None
            await tx.execute(
                "INSERT INTO delivery_queue (tenant_id, id, due_at) VALUES (%s, %s, %s)", [TENANT, row[0], at]
            )
        return DeliveryId(row[0])

    async def decide(self, *, at: datetime = NOW) -> None:
        """Decide about everything that waits, whenever it is due."""
        async with self.database.connection() as connection:
            waiting = await queue.claim(connection, [TENANT], now=datetime.max.replace(tzinfo=NOW.tzinfo), share=64)
        await pipeline.process(self.database, self.deciders, waiting, epochs={shard_of(TENANT): self._epoch}, now=at)

    async def again(self, delivery: DeliveryId) -> None:
        """Replay a delivery and decide."""
        await replay(self.database, ACT, tenant_id=TENANT, delivery_id=delivery)
        await self.decide()

    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Look something up."""
        async with self.database.connection() as connection:
            return await (await connection.execute(query, list(values))).fetchall()

    async def state(self, delivery: DeliveryId) -> tuple[str, str]:
        """Return state and reason of a delivery."""
        ((state, reason),) = await self.rows(
            "SELECT state, reason FROM delivery_states WHERE delivery_id = %s", delivery
        )
        return state, reason

    async def plans(self, delivery: DeliveryId) -> list[Plan]:
        """Return the plans of a delivery, decision by decision."""
        rows = await self.rows("SELECT plan::text FROM decisions WHERE delivery_id = %s ORDER BY id", delivery)
        return [msgspec.json.decode(row[0], type=Plan) for row in rows]

    async def effects(self) -> list[str]:
        """Return the keys of everything that was put into the outbox."""
        return [str(row[0]).replace("-", "") for row in await self.rows("SELECT key FROM effects ORDER BY id")]

    async def open_holds(self) -> list[tuple[int, str]]:
        """Return what waits for a person."""
        return [
            (row[0], row[1]) for row in await self.rows("SELECT id, reason FROM holds WHERE state = 'open' ORDER BY id")
        ]
