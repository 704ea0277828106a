"""Matches are drawn, judged and certified; one wrong match takes a certificate back."""

from datetime import UTC, datetime

import msgspec

from bridge.db.database import Database
from bridge.domain.ids import CustomerId, TenantId
from bridge.domain.inquiry import BookingInquiry, Person
from bridge.domain.match import Ambiguous, Evidence, Match, Matched, MatchKind
from bridge.matching import certifying, weights_store
from bridge.matching.weights import shipped
from bridge.operations import matching as operation
from bridge.operations.audit import Act

TENANT = TenantId(7)
NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
ACT = Act(by="cli:tess", now=NOW)


def matched(customer: int, *, probability: float = 0.995, by: str = "score", version: str = "shipped-1") -> Matched:
    evidence = Evidence(weights_version=version, decided_by=by)
    return Matched(
        kind=MatchKind.CUSTOMER_AND_LOCATION,
        customer_id=CustomerId(customer),
        probability=probability,
        evidence=evidence,
    )


async def decided(database: Database, matches: list[Match]) -> None:
    """Write decisions as the flow writes them, one delivery each."""
    async with database.begin() as tx:
        for number, match in enumerate(matches):
            inquiry = BookingInquiry(key=f"i{number}", person=Person(name="Ada Lane", phones=("5125550100",)))
            await tx.execute(
                "INSERT INTO decisions (tenant_id, delivery_id, ordinal, inquiry_key, decided_at, config_version, state, reason,"
                " inquiry, match) VALUES (%s, %s, 0, %s, %s, 'v', 'processed', 'processed', %s::text::jsonb, %s::text::jsonb)",
                [TENANT, number, f"i{number}", NOW, msgspec.json.encode(inquiry).decode(), msgspec.json.encode(match).decode()],
            )  # fmt: skip


async def judged(database: Database, *, right: int, wrong: int = 0) -> None:
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO match_samples (tenant_id, inquiry_key, customer_id, probability, weights_version, drawn_at, is_right)"
            " SELECT %s, 'j' || n, n, 1, 'shipped-1', %s, n > %s FROM generate_series(1, %s) AS n",
            [TENANT, NOW, wrong, right + wrong],
        )


async def is_certified(database: Database) -> bool:
    async with database.begin() as tx:
        version = (await weights_store.in_force(tx, TENANT)).version
        return await certifying.is_certified(tx, TENANT, weights_version=version)


async def test_only_what_the_scores_of_these_weights_decided_is_drawn_and_once(database: Database) -> None:
    others: list[Match] = [
        matched(2, probability=0.98),
        matched(3, by="person"),
        matched(4, version="old"),
        Ambiguous(),
    ]
    await decided(database, [matched(1), *others])
    first = await operation.draw(database, ACT, tenant_id=TENANT, count=10)
    again = await operation.draw(database, ACT, tenant_id=TENANT, count=10)
    async with database.begin() as tx:
        waiting = await certifying.waiting(tx, TENANT)
    assert (first.count, again.count) == (1, 0)
    assert [sample.customer_id for sample in waiting] == [1]
    assert waiting[0].inquiry is not None
    assert waiting[0].inquiry.person.name == "Ada Lane"


async def test_nothing_judged_certifies_nothing_and_says_how_many_are_needed(database: Database) -> None:
    found = await operation.certify(database, ACT, tenant_id=TENANT)
    assert (found.is_certified, found.upper_bound, found.needed) == (False, 1.0, 2995)
    assert not await is_certified(database)


async def test_enough_right_ones_lower_the_threshold_until_one_wrong_one_takes_it_back(database: Database) -> None:
    await decided(database, [matched(1)])
    await operation.draw(database, ACT, tenant_id=TENANT, count=1)
    async with database.begin() as tx:
        (sample,) = await certifying.waiting(tx, TENANT)
    await judged(database, right=2994)
    assert not (await operation.certify(database, ACT, tenant_id=TENANT)).is_certified
    await operation.judge(database, ACT, tenant_id=TENANT, sample_id=sample.id, is_right=True)
    certificate = await operation.certify(database, ACT._replace(now=NOW.replace(hour=16)), tenant_id=TENANT)
    assert (certificate.is_certified, certificate.needed) == (True, 0)
    assert await is_certified(database)
    later = ACT._replace(now=NOW.replace(hour=17))
    done = await operation.judge(database, later, tenant_id=TENANT, sample_id=sample.id, is_right=False)
    assert "taken back" in done.text
    assert not await is_certified(database)


async def test_a_certificate_counts_for_its_weights_only(database: Database) -> None:
    await judged(database, right=3000)
    assert (await operation.certify(database, ACT, tenant_id=TENANT)).is_certified
    async with database.begin() as tx:
        await weights_store.keep(tx, TENANT, msgspec.structs.replace(shipped(), version="fit-2"), now=NOW)
    assert await is_certified(database)
    assert (await operation.use_weights(database, ACT, tenant_id=TENANT, version="fit-2")).is_done
    assert not await is_certified(database)
    assert (await operation.use_weights(database, ACT, tenant_id=TENANT, version="shipped-1")).is_done
    assert await is_certified(database)


async def test_what_is_unknown_is_refused(database: Database) -> None:
    assert (await operation.judge(database, ACT, tenant_id=TENANT, sample_id=9, is_right=True)).refusal == "unknown"
    assert (await operation.use_weights(database, ACT, tenant_id=TENANT, version="none")).refusal == "unknown"


def test_a_certificate_lowers_the_default_and_not_a_tenants_own_number() -> None:
    assert certifying.auto_threshold(0.999, is_certified=True) == 0.99
    assert certifying.auto_threshold(0.999, is_certified=False) == 0.999
    assert certifying.auto_threshold(0.9995, is_certified=True) == 0.9995
