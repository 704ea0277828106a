"""The look-up's statement: one for a batch, the same answer as one by one, and planned once a connection."""

from datetime import UTC, datetime

import pytest

from bridge.db import match_keys
from bridge.db.database import Database, Tx
from bridge.domain.ids import CustomerId, LocationId, SourceId, TenantId
from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress
from bridge.domain.match import MatchSettings
from bridge.matching import candidates
from bridge.matching.decide import decide
from bridge.matching.lookup import Family, MirroredContact, MirroredCustomer, MirroredLocation
from bridge.matching.weights import shipped

TENANT = TenantId(7)
NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
COUNT = 60


def inquiry(number: int) -> BookingInquiry:
    place = PostalAddress(street=f"{100 + number} Harbor St", city="Austin", state="TX", zip="78701")
    person = Person(name=f"Ada Lane{chr(97 + number % 26)}", phones=(f"512444{7000 + number}",), address=place)
    return BookingInquiry(key=f"i{number}", record_id=f"r{number}", person=person)


async def fill(tx: Tx, tenant_id: TenantId = TENANT) -> None:
    """Mirror one customer for each inquiry."""
    for number in range(1, COUNT + 1):
        person = inquiry(number).person
        place = [person.address.street, "Austin", "TX", "78701"]
        await tx.execute(
            "INSERT INTO mirrored_customers (tenant_id, id, active, modified_on, name, type, street, city, state, zip)"
            " VALUES (%s, %s, true, %s, %s, 'Residential', %s, %s, %s, %s)",
            [tenant_id, number, NOW, person.name, *place],
        )
        await tx.execute(
            "INSERT INTO mirrored_locations (tenant_id, id, active, modified_on, customer_id, name, street, city, state, zip)"
            " VALUES (%s, %s, true, %s, %s, %s, %s, %s, %s, %s)",
            [tenant_id, number + 1000, NOW, number, person.name, *place],
        )
        await tx.execute(
            "INSERT INTO mirrored_contacts (tenant_id, party, id, active, modified_on, owner_id, type, value)"
            " VALUES (%s, 'customer', %s, true, %s, %s, 'Phone', %s)",
            [tenant_id, number, NOW, number, person.phones[0]],
        )
    await match_keys.renew(tx, tenant_id, range(1, COUNT + 1), region="US")


async def test_a_batch_is_answered_as_its_inquiries_are_one_by_one(tx: Tx) -> None:
    await fill(tx)
    asked = [inquiry(number) for number in range(1, COUNT + 1)]
    settings = MatchSettings()
    together = await candidates.find_many(tx, TENANT, asked, settings)
    for one, found in zip(asked, together, strict=True):
        (alone,) = await candidates.find_many(tx, TENANT, [one], settings)
        verdict = decide(one, found, shipped(), settings)
        assert verdict == decide(one, alone, shipped(), settings)
        assert verdict.evidence.candidates[0].customer_id == int(one.key[1:])


async def test_tenants_with_the_same_people_and_ids_are_told_apart(tx: Tx) -> None:
    other, nobody = TenantId(8), TenantId(9)
    await fill(tx)
    await fill(tx, other)
    await tx.execute("UPDATE mirrored_customers SET name = 'Grace ' || name WHERE tenant_id = %s", [other])
    await tx.execute(
        "INSERT INTO links (tenant_id, source_id, record_id, customer_id, location_id, decided_by, decided_at)"
        " VALUES (%s, 'crm', 'r1', 2, 1002, 'test', now())",
        [other],
    )
    asked = [
        candidates.Asked(tenant_id, SourceId(source), inquiry(number), "US")
        for number in (1, 2)
        for tenant_id, source in ((TENANT, "crm"), (nobody, "crm"), (other, "crm"), (other, "web"))
    ]
    together = await candidates.find(tx, asked)
    for one, found in zip(asked, together, strict=True):
        (alone,) = await candidates.find(tx, [one])
        settings = MatchSettings()
        assert decide(one.inquiry, found, shipped(), settings) == decide(one.inquiry, alone, shipped(), settings)
        names = {family.customer.name for family in found.families}
        assert all(name.startswith("Grace ") == (one.tenant_id == other) for name in names)
        assert bool(names) == (one.tenant_id != nobody)
        assert bool(found.said) == (one == asked[2])


@pytest.mark.parametrize("is_filled", [False, True])
async def test_a_connection_plans_the_statement_for_any_values_and_not_for_each(
    database: Database, is_filled: bool
) -> None:
    async with database.begin() as tx:
        if is_filled:
            await fill(tx)
            await tx.execute("ANALYZE")
        for number in range(1, 31):
            await candidates.find_many(tx, TENANT, [inquiry(number)], MatchSettings())
        plans = await tx.execute(
            "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement LIKE '%match_keys%'"
        )
        ((custom, generic),) = await plans.fetchall()
    assert custom <= 5  # PostgreSQL tries five before it compares
    assert generic >= 25


def manager(number: int, flats: int, tenants: int) -> Family:
    """A customer with many flats, each with tenants that can be reached."""
    customer = MirroredCustomer(
        CustomerId(number), f"Rentals {number} LLC", "Commercial", True, False, None, "", "", "", "", ""
    )
    places = tuple(
        MirroredLocation(
            LocationId(number * 1000 + at), "", True, f"{at} Oak{number} St", f"Apt {at}", "Austin", "TX", "78701"
        )
        for at in range(1, flats + 1)
    )
    own = [MirroredContact(0, "Phone", f"512444{number:04}", "")]
    others = [
        MirroredContact(place.id, "Phone", f"737{at:03}{place.id % 10_000:04}", f"Tenant {at}")
        for place in places
        for at in range(200, 200 + tenants)
    ]
    return Family(customer, places, (*own, *others), region="US")


def test_many_large_families_cost_little_more_than_one_and_the_place_that_was_met_stays() -> None:
    families = [manager(number, 24, 12) for number in range(1, 17)]
    kept = candidates.bounded(families, {number: [f"{number * 1000 + 24}"] for number in range(1, 17)})
    assert [family.customer.id for family in kept] == list(range(1, 17))
    assert sum(len(family.locations) for family in kept) <= candidates.MOST_PLACES + 16 * candidates.LEAST_PLACES
    assert sum(len(family.contacts) for family in kept) <= candidates.MOST_CONTACTS + 16 * candidates.LEAST_CONTACTS
    for family in kept:
        assert family.locations[-1].id == family.customer.id * 1000 + 24
        assert family.contacts[0].location_id == 0
        assert any(contact.location_id == family.locations[-1].id for contact in family.contacts)
        assert list(family.contacts) == sorted(family.contacts, key=lambda contact: contact.location_id)


def test_families_of_ordinary_size_are_left_as_they_are() -> None:
    families = [manager(number, 3, 2) for number in range(1, 9)]
    assert candidates.bounded(families, {}) == tuple(families)
