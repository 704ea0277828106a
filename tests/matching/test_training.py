"""A fit learns from the tenant's own mirror and inquiries, says what it would change, and is used only when told."""

from datetime import UTC, datetime, timedelta

import msgspec
from psycopg.types.json import Jsonb

from bridge.db import match_keys
from bridge.db.database import Database
from bridge.domain.ids import TenantId
from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress
from bridge.domain.match import MatchSettings
from bridge.matching import weights_store
from bridge.matching.training import Training
from bridge.matching.weights import shipped
from bridge.operations import matching as operation
from bridge.operations.audit import Act, Done

TENANT = TenantId(7)
NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
ACT = Act(by="cli:tess", now=NOW)
COUNT = 120


async def filled(database: Database) -> None:
    """Mirror a town of Quillfeathers, and record that each asked from another number than the one that is mirrored."""
    given = ("Ada", "Bert", "Cleo", "Dora", "Emil", "Faye", "Gus", "Hope")
    async with database.begin() as tx:
        for number in range(1, COUNT + 1):
            name, street = f"{given[number % 8]} Quillfeather", f"{100 + number * 7} Harbor{number} St"
            await tx.execute(
                "INSERT INTO mirrored_customers (tenant_id, id, active, modified_on, name, type, street, city, state, zip)"
                " VALUES (%s, %s, true, %s, %s, 'Residential', %s, 'Austin', 'TX', '78701')",
                [TENANT, number, NOW, name, street],
            )
            await tx.execute(
                "INSERT INTO mirrored_locations (tenant_id, id, active, modified_on, customer_id, name, street, city, state, zip)"
                " VALUES (%s, %s, true, %s, %s, %s, %s, 'Austin', 'TX', '78701')",
                [TENANT, number + 1000, NOW, number, name, street],
            )
            await tx.execute(
                "INSERT INTO mirrored_contacts (tenant_id, party, id, active, modified_on, owner_id, type, value)"
                " VALUES (%s, 'customer', %s, true, %s, %s, 'Phone', %s)",
                [TENANT, number, NOW, number, f"512444{7000 + number}"],
            )
            address = PostalAddress(street=street, city="Austin", state="TX", zip="78701")
            person = Person(name=name, phones=(f"737266{3000 + number * 13}",), address=address)
            inquiry = BookingInquiry(key=f"i{number}", person=person)
            await tx.execute(
                "INSERT INTO decisions (tenant_id, delivery_id, ordinal, inquiry_key, decided_at, config_version, state,"
                " reason, inquiry) VALUES (%s, %s, 0, %s, %s, 'v', 'processed', 'processed', %s)",
                [TENANT, number, f"i{number}", NOW - timedelta(days=1), Jsonb(msgspec.to_builtins(inquiry))],
            )
        await match_keys.renew(tx, TENANT, range(1, COUNT + 1), region="US")


async def test_a_fit_learns_the_tenants_names_and_habits_and_is_stored_without_being_used(database: Database) -> None:
    await filled(database)
    found = await operation.train(database, ACT, tenant_id=TENANT, settings=MatchSettings())
    assert isinstance(found, Training)
    assert (found.customers, found.inquiries, found.compared_with) == (COUNT, COUNT, "shipped-1")
    assert found.verdicts_changed == sum(found.transitions.values())
    async with database.begin() as tx:
        assert (await weights_store.in_force(tx, TENANT)).version == "shipped-1"
        assert [fit.version for fit in await weights_store.fits(tx, TENANT)] == [found.version]
    assert (await operation.use_weights(database, ACT, tenant_id=TENANT, version=found.version)).refusal == ""
    async with database.begin() as tx:
        learnt = await weights_store.in_force(tx, TENANT)
    assert learnt.version == found.version
    assert learnt.share("surname", "quillfeather") > 10 * shipped().share("surname", "quillfeather")
    assert learnt.bits("phone", "differ") > shipped().bits("phone", "differ")


async def test_an_empty_mirror_is_told_and_stores_nothing(database: Database) -> None:
    found = await operation.train(database, ACT, tenant_id=TENANT, settings=MatchSettings())
    assert isinstance(found, Done)
    assert "holds no customers" in found.text
    assert found.refusal
    async with database.begin() as tx:
        assert await weights_store.fits(tx, TENANT) == []


async def test_a_mirror_without_inquiries_teaches_names_alone(database: Database) -> None:
    await filled(database)
    async with database.begin() as tx:
        await tx.execute("DELETE FROM decisions")
    found = await operation.train(database, ACT, tenant_id=TENANT, settings=MatchSettings())
    assert isinstance(found, Training)
    assert (found.inquiries, found.weights, found.verdicts_changed) == (0, (), 0)
