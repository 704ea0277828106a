"""Outages of every kind, with real processes, a real PostgreSQL and the simulator over real sockets: none lost, none doubled.

A part of `python -m tests.chaos.matrix`, which plays each point with each fault.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from bridge.db import migrations
from bridge.db.database import Database, Tx
from bridge.db.embedded import EmbeddedPostgres
from bridge.domain.command import ContactMethod, CreateBooking, kind_of
from bridge.domain.ids import DecisionId, DeliveryId, SourceId, TenantId
from bridge.domain.plan import Effect, effect_key
from bridge.sending import outbox
from tests.chaos.cells import Play
from tests.chaos.stage import FIRST_TENANT, Stage, stage

TENANT = TenantId(FIRST_TENANT)


@pytest.fixture
def made(tmp_path: Path, database_dsn: str) -> Iterator[Stage]:
    with stage(tmp_path, database_dsn) as lent:
        yield lent


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "cells",
    [
        [
            ("during_intake_commit", "error_before"),
            ("during_decision_commit", "none"),
            ("after_bytes_sent", "drop_after"),
        ],
        [("during_intent_commit", "none"), ("amid_batch", "timeout_after"), ("during_outcome_commit", "error_after")],
    ],
    ids=["takes, decides, asks", "sends and records"],
)
async def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(made: Stage, cells: list[tuple[str, str]]) -> None:
    play = Play(made, None, seed=1)
    for point, fault in cells:
        cell = await play.cell(point, fault)
        assert cell.is_good, cell


@pytest.mark.timeout(300)
async def test_restarts_of_the_database_and_cut_connections_amid_a_load_lose_nothing(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, options={"fsync": "off"}) as postgres:
        migrations.upgrade(postgres.dsn)
        with stage(tmp_path, postgres.dsn) as made:
            play = Play(made, postgres, seed=1)
            for outage, fault in (
                ("postgres_restarted", "none"),
                ("postgres_crashed", "drop_after"),
                ("connections_cut", "error_after"),
            ):
                cell = await play.cell(outage, fault)
                assert cell.is_good, cell


@pytest.mark.timeout(240)
async def test_a_held_transaction_stops_no_sending_and_what_it_wrote_is_sent_when_it_ends(
    database: Database, database_dsn: str, made: Stage
) -> None:
    workers = [made.start("work") for _ in range(2)]
    await asyncio.to_thread(made.until_up, *workers, workers=2)
    others = []
    async with await psycopg.AsyncConnection.connect(database_dsn) as holder:
        held = await put(holder, range(4))  # the tenant's first ids, in a transaction that outlasts all others'
        for numbers in (range(4, 60), range(60, 80)):
            async with database.begin() as tx:
                others += await put(tx, numbers)
            assert await asyncio.to_thread(made.until_idle, seconds=60)
        assert sorted(external_ids(made)) == sorted(others)
        await holder.commit()
    assert await asyncio.to_thread(made.until_idle, seconds=60)
    assert sorted(external_ids(made)) == sorted(held + others)
    assert [await asyncio.to_thread(worker.stop) for worker in workers] == [0, 0]


async def put(tx: Tx, numbers: range) -> list[str]:
    effects = []
    for number in numbers:
        command = CreateBooking(
            source="Website",
            name=f"Person {number}",
            summary="asks",
            is_first_time_client=True,
            contacts=(ContactMethod(type="Phone", value="+15125550142"),),
        )
        key = effect_key(tenant_id=TENANT, kind=kind_of(command), target="", inquiry_key=str(number))
        effects.append(Effect(key=key, command=command, lane=f"party:{number % 7}"))
    await outbox.put(
        tx,
        tenant_id=TENANT,
        source_id=SourceId("website"),
        delivery_id=DeliveryId(1),
        decision_id=DecisionId(1),
        effects=effects,
        now=datetime.now(UTC),
    )
    return [effect.key for effect in effects]


def external_ids(made: Stage) -> list[str]:
    asked = {"kind": "booking.created", "limit": 1_000_000}
    return [one["externalId"] for one in made.far.get("/_simulator/ledger", params=asked).json()["entries"]]
