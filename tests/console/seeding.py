"""Deliveries of every outcome, written with the program's own structs and statements; people are invented."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import cache

from litestar import Litestar

from bridge import bootstrap
from bridge.db.database import Database
from bridge.domain.command import AddContact, ContactMethod, CreateBooking, PartyKind
from bridge.domain.ids import CustomerId, DeliveryId, LocationId, SourceId, TenantId
from bridge.domain.inquiry import Attribution, BookingInquiry, ContactUpdate, Person, PostalAddress
from bridge.domain.match import Ambiguous, Candidate, Comparison, Evidence, Matched, MatchKind, Unmatched
from bridge.domain.plan import Effect, Hold, Plan, RuleTrial, effect_key
from bridge.entrypoints.api import api_router
from bridge.entrypoints.console import console_router
from bridge.entrypoints.context import AppContext
from bridge.intake import ledger
from bridge.intake.ledger import Decided, Story
from bridge.operations import tokens, users
from bridge.operations.audit import Act
from bridge.operations.users import Role
from bridge.pipeline.sentences import sentence
from bridge.sending import outbox
from bridge.settings import Settings

TENANT = TenantId(1000001)
NOW = datetime(2026, 11, 24, 20, 5, tzinfo=UTC)  # 14:05 in Chicago
PEOPLE = (
    ("Dana Whitfield", "(512) 555-0142", "dana@example.com", "1422 Oak St", "78704"),
    ("Marcus Oyelaran", "512-555-0177", "marcus@example.com", "9 Elm Ct", "78745"),
    ("Priya Raman", "+1 512 555 0119", "priya@example.com", "300 Lake Dr", "78702"),
    ("Tom O'Brien", "5125550163", "tom.obrien@example.com", "77 Hill Rd", "78731"),
    ("Lucía Fernández", "512.555.0108", "lucia@example.com", "18 Bee Cave Rd", "78746"),
)
KINDS = ("booked", "review", "failed", "working", "held", "filtered", "updated", "duplicate", "broken")


@cache
def settings() -> Settings:
    """The config of the demo, read once."""
    return bootstrap.load_settings(None, environ={})


def context_for(database: Database, *, clock=lambda: NOW) -> AppContext:
    return AppContext(database=database, settings=settings(), connectors={}, clock=clock, draining=asyncio.Event())


def app_for(context: AppContext) -> Litestar:
    return Litestar(
        route_handlers=[console_router(context), api_router(context)], openapi_config=None, logging_config=None
    )


async def people(database: Database) -> dict[str, str]:
    """Add one user of each role (password `correct horse <role>`) and tokens of each scope; return the tokens."""
    act = Act("cli:test", NOW)
    for role in Role:
        done = await users.add(
            database, act, login=f"{role.value}@example.com", role=role, password=f"correct horse {role.value}"
        )
        assert done.is_done
    made = {}
    for name, scopes in {
        "read": ("read",),
        "write": ("read", "write"),
        "admin": ("read", "write", "admin", "pii"),
    }.items():
        _, made[name] = await tokens.make(database, act, name=name, scopes=scopes, days=30)
    return made


async def deliver(database: Database, number: int, kind: str, *, at: datetime, source: str = "website") -> DeliveryId:
    """Write one delivery with the decision and outbox that `kind` names; `received` writes the delivery alone."""
    name, phone, email, street, zip_code = PEOPLE[number % len(PEOPLE)]
    body = {
        "type": "form.submitted",
        "name": name,
        "phone": phone,
        "email": email,
        "address": {"street": street, "city": "Austin", "state": "TX", "zip": zip_code},
        "lead": {
            "id": f"rec-{number}",
            "name": name,
            "phone": phone,
            "email": email,
            "city": "Austin",
            "street": street,
        },
        "service": "AC repair",
    }
    async with database.begin() as tx:
        row = await (
            await tx.execute(
                "INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body, verified_by, trace_id)"
                " VALUES (%s, %s, %s, 'form.submitted', %s, 'POST', 'https://hooks.example.com/hooks/website', %s, %s, 'standard-webhooks:current', %s) RETURNING id",
                [
                    TENANT,
                    source,
                    f"msg_{number}",
                    at,
                    json.dumps([["content-type", "application/json"]]),
                    json.dumps(body).encode(),
                    f"{number:032x}",
                ],
            )
        ).fetchone()
        delivery_id = DeliveryId(row[0])
        if kind == "received":
            return delivery_id
        story = _story(delivery_id, number, kind, at=at, source=source)
        (ids,) = await ledger.write(tx, [story], config_version="cafe01", now=at + timedelta(seconds=1))
        plan = story.decided[0].plan
        if plan is not None and plan.effects:
            put = await outbox.put(
                tx,
                tenant_id=TENANT,
                source_id=SourceId(source),
                delivery_id=delivery_id,
                decision_id=ids[0],
                effects=plan.effects,
                now=at + timedelta(seconds=1),
            )
            for effect_id in put.created.values():
                await _finish(tx, effect_id, kind, at=at + timedelta(seconds=2), number=number)
    return delivery_id


def _story(delivery_id: DeliveryId, number: int, kind: str, *, at: datetime, source: str) -> Story:
    name, phone, email, street, zip_code = PEOPLE[number % len(PEOPLE)]
    person = Person(
        name=name,
        phones=(phone,),
        emails=(email,),
        address=PostalAddress(street=street, city="Austin", state="TX", zip=zip_code),
    )
    stem = {
        "key": f"inq-{number}",
        "record_id": f"rec-{number}",
        "person": person,
        "origins": {
            "person.name": "name",
            "person.phones.0": "phone",
            "person.emails.0": "email",
            "service": "service",
        },
    }
    inquiry = (
        BookingInquiry(
            **stem, message="The AC is out", service="AC repair", attribution=Attribution(utm_campaign="spring-tune-up")
        )
        if kind != "updated"
        else ContactUpdate(**stem)
    )
    compared = (
        Comparison(field="phone", level="same number", weight=9.2, ours=phone, theirs=phone),
        Comparison(field="name", level="same surname, initial fits", weight=3.1, ours=name, theirs=name),
        Comparison(field="address", level="other street", weight=-2.4, ours=street, theirs="1 Main St"),
    )
    candidate = Candidate(
        customer_id=CustomerId(7000 + number),
        location_id=LocationId(9000 + number),
        customer_name=name,
        address=f"{street}, Austin",
        probability=0.9991,
        total=9.9,
        comparisons=compared,
    )
    runner = Candidate(
        customer_id=CustomerId(8000 + number),
        customer_name="Dan Whitfeld",
        address="1 Main St, Austin",
        probability=0.62,
        total=0.7,
        comparisons=compared[1:],
        why_not="another phone",
    )
    evidence = Evidence(
        candidates=(candidate, runner),
        threshold_auto=0.999,
        threshold_review=0.5,
        weights_version="shipped",
        keys_version=1,
    )
    matched = Matched(
        kind=MatchKind.CUSTOMER_AND_LOCATION,
        customer_id=CustomerId(7000 + number),
        location_id=LocationId(9000 + number),
        probability=0.9991,
        may_write=True,
        evidence=evidence,
    )
    match = (
        Ambiguous(evidence=evidence)
        if kind == "review"
        else Unmatched(evidence=Evidence())
        if kind == "working"
        else matched
    )
    command = CreateBooking(
        source="Website",
        name=name,
        summary=f"AC repair. The AC is out. {phone}",
        is_first_time_client=False,
        contacts=(ContactMethod(type="Phone", value=phone),),
    )
    update = AddContact(
        party=PartyKind.CUSTOMER, target=7000 + number, contact=ContactMethod(type="Email", value=email)
    )
    wanted = update if kind == "updated" else command
    key = effect_key(
        tenant_id=TENANT,
        kind="add_contact" if kind == "updated" else "create_booking",
        target="",
        inquiry_key=f"{source}:inq-{number}",
    )
    effect = Effect(key=key, command=wanted, lane=f"party:{7000 + number}", rule="book every request")
    plan = Plan(
        effects=(effect,),
        trials=(RuleTrial(rule="book every request", applied=True, why="it asks for service", at="rules.yaml:3"),),
    )
    if kind == "review":
        plan = Plan(
            effects=(),
            holds=(Hold(reason="match_ambiguous", detail="two customers share the number", effects=(effect,)),),
        )
    if kind == "filtered":
        plan = Plan(effects=(), reason="event_ignored")
    if kind == "duplicate":
        plan = Plan(effects=(effect,), reason="duplicate_ask", joins=key)
    state = {"review": "held", "filtered": "ignored", "broken": "failed"}.get(kind, "processed")
    reason = {
        "review": "match_ambiguous",
        "filtered": "event_ignored",
        "broken": "normalize_failed",
        "duplicate": "duplicate_ask",
    }.get(kind, "processed")
    decided = (
        Decided(state=state, reason=reason)
        if kind == "broken"
        else Decided(inquiry=inquiry, match=match, plan=plan, state=state, reason=reason)
    )
    return Story(
        tenant_id=TENANT,
        delivery_id=delivery_id,
        source_id=SourceId(source),
        received_at=at,
        state=state,
        reason=reason,
        sentence=sentence(decided) if state == "processed" else "",
        decided=(decided,),
    )


async def _finish(tx, effect_id: int, kind: str, *, at: datetime, number: int) -> None:
    if kind in {"booked", "updated", "duplicate"}:
        await tx.execute("DELETE FROM outbox WHERE tenant_id = %s AND id = %s", [TENANT, effect_id])
        await tx.execute(
            "INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch, sent_at, milliseconds, status, reason, created)"
            " VALUES (%s, %s, %s, 1, 'succeeded', 1, 1, %s, 212, 200, 'ok', %s)",
            [TENANT, effect_id, at, at, json.dumps({"": 500_000 + number})],
        )
    if kind in {"failed", "held"}:
        reason, outcome, status = (
            ("validation_failed", "rejected", 400) if kind == "failed" else ("credentials_refused", "deferred", 401)
        )
        await tx.execute(
            "INSERT INTO attempts (tenant_id, effect_id, at, number, outcome, settles, epoch, sent_at, milliseconds, status, reason, problem)"
            " VALUES (%s, %s, %s, 1, %s, %s, 1, %s, 180, %s, %s, %s)",
            [
                TENANT,
                effect_id,
                at,
                outcome,
                2 if kind == "failed" else 0,
                at,
                status,
                reason,
                json.dumps({"title": "One or more validation errors occurred."}),
            ],
        )
        if kind == "failed":
            await tx.execute("DELETE FROM outbox WHERE tenant_id = %s AND id = %s", [TENANT, effect_id])
            await tx.execute(
                "INSERT INTO dead_messages (tenant_id, effect_id, created_at, died_at, kind, lane, source_id, sends, reason) SELECT tenant_id, id, created_at,"
                " %s, kind, lane, source_id, 1, %s FROM effects WHERE tenant_id = %s AND id = %s",
                [at, reason, TENANT, effect_id],
            )
        else:
            await tx.execute(
                "UPDATE outbox SET sends = 1, reason = %s, due_at = %s WHERE tenant_id = %s AND id = %s",
                [reason, at + timedelta(minutes=9), TENANT, effect_id],
            )


async def story_of_every_kind(database: Database, *, now: datetime = NOW) -> dict[str, DeliveryId]:
    """Write one delivery of each outcome, a few older ones, a refused request, a customer of the mirror."""
    for number in reversed(range(10, 40)):  # in the order they came in, as ids are given
        await deliver(
            database,
            number,
            ("booked", "updated", "filtered")[number % 3],
            at=now - timedelta(hours=9 * (number - 9)),
            source=("website", "typeform")[number % 2],
        )
    made: dict[str, DeliveryId] = {}
    for number, kind in reversed(list(enumerate(KINDS))):
        made[kind] = await deliver(
            database,
            number,
            kind,
            at=now - timedelta(minutes=7 * number),
            source=("website", "typeform", "callrail")[number % 3],
        )
    made["received"] = await deliver(database, 900, "received", at=now - timedelta(seconds=30))
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO rejected_requests (tenant_id, source_id, reason, status, received_at, method, content_type, body_bytes, body_sha256, detail, trace_id)"
            " VALUES (%s, 'website', 'signature_mismatch', 401, %s, 'POST', 'application/json', 512, 'ab', 'got v1,3f2a…', 't')",
            [TENANT, now - timedelta(minutes=20)],
        )
        for number in range(9):
            name, _, _, street, zip_code = PEOPLE[number % len(PEOPLE)]
            for base in (7000, 8000):
                await tx.execute(
                    "INSERT INTO mirrored_customers (tenant_id, id, active, name, street, city, state, zip, modified_on) VALUES (%s, %s, true, %s, %s, 'Austin', 'TX', %s, %s)",
                    [TENANT, base + number, name if base == 7000 else "Dan Whitfeld", street, zip_code, now],
                )
            await tx.execute(
                "INSERT INTO mirrored_contacts (tenant_id, party, id, owner_id, active, type, value, modified_on) VALUES (%s, 'customer', %s, %s, true, 'MobilePhone', %s, %s)",
                [TENANT, 60_000 + number, 7000 + number, PEOPLE[number % len(PEOPLE)][1], now],
            )
    return made
