"""What the planning tests plan with: one tenant, one source, its lists, and parties."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from bridge import connectors
from bridge.domain.ids import ContactId, CustomerId, EffectKey, LocationId, SourceId
from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress
from bridge.domain.match import Ambiguous, Candidate, Evidence, Matched, MatchKind, Unmatched
from bridge.domain.party import KnownBooking, KnownContact, PartyRecord
from bridge.domain.reference import (
    BUSINESS_UNIT,
    CALL_REASON,
    CAMPAIGN,
    CUSTOMER_FIELD,
    JOB_TYPE,
    TAG_TYPE,
    ListEntry,
    ReferenceLists,
)
from bridge.planning.context import OpenBooking, PlanContext
from bridge.planning.rules import RuleBook
from bridge.settings import Settings, load_texts

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
CONFIG = """
tenants:
  acme:
    tenant_id: 7
    environment: simulator
    time_zone: America/Chicago
    defaults: {campaign: Website, business_unit: HVAC Service, dismiss_reason: Cancelled by Customer}
    campaigns: {google: Google Ads, "5125550100": Yelp}
    services: {ac repair: AC Repair, drain: Drain Cleaning}
sources:
  web:
    title: Website form
    connector: typeform
    tenant: acme
    unsigned: true
    updates:
      fields:
        lang: {custom_field: Preferred Language}
        value: {custom_field: Lifetime Value, policy: newest}
      tags: {vip: VIP}
"""
LISTS = ReferenceLists(
    is_loaded=True,
    entries={
        CAMPAIGN: (
            ListEntry(id=1, name="Website"), ListEntry(id=2, name="Google Ads"), ListEntry(id=3, name="Yelp"),
            ListEntry(id=4, name="Twice"), ListEntry(id=5, name="Twice"),
        ),
        BUSINESS_UNIT: (ListEntry(id=10, name="HVAC Service"), ListEntry(id=11, name="Plumbing Service")),
        JOB_TYPE: (
            ListEntry(id=20, name="AC Repair", business_unit_ids=(10,)),
            ListEntry(id=21, name="Drain Cleaning", business_unit_ids=(11,)),
        ),
        CALL_REASON: (ListEntry(id=30, name="Cancelled by Customer"),),
        TAG_TYPE: (ListEntry(id=40, name="VIP"),),
        CUSTOMER_FIELD: (
            ListEntry(id=50, name="Preferred Language", data_type="Dropdown", options=("English", "Spanish")),
            ListEntry(id=51, name="Lifetime Value", data_type="Numeric"),
        ),
    },
)  # fmt: skip
PERSON = Person(
    name="Dana Cruz",
    phones=("(512) 555-0142",),
    emails=("dana@example.com",),
    address=PostalAddress(street="12 Oak St", city="Austin", state="TX", zip="78701"),
)
MATCHED = Matched(
    kind=MatchKind.CUSTOMER_AND_LOCATION, customer_id=CustomerId(100), location_id=LocationId(200), may_write=True
)
BELOW = Matched(kind=MatchKind.CUSTOMER_AND_LOCATION, customer_id=CustomerId(100), location_id=LocationId(200))
NEWCOMER = Ambiguous(location_customer_differs=True, location_id=LocationId(200), is_newcomer=True)
AMBIGUOUS = Ambiguous(
    evidence=Evidence(
        candidates=(
            Candidate(customer_id=CustomerId(100), customer_name="Dana Cruz"),
            Candidate(customer_id=CustomerId(101), customer_name="D. Cruz"),
        )
    )
)
UNMATCHED = Unmatched()
PARTY = PartyRecord(
    customer_id=CustomerId(100),
    location_id=LocationId(200),
    contacts=(KnownContact(id=ContactId(1), type="MobilePhone", value="5125550142"),),
    customer_fields={50: "English"},
)


@cache
def settings(rules: str = "", more: str = "") -> Settings:
    """The config with rules, and with more lines of the source."""
    found = load_texts({"c.yaml": CONFIG + more + rules}, {}, kinds=connectors.kinds())
    assert isinstance(found, Settings), [str(fault) for fault in found] if isinstance(found, tuple) else found
    return found


def context(rules: str = "", more: str = "", **parts: Any) -> PlanContext:
    """Everything a plan may look at."""
    loaded = settings(rules, more)
    tenant = next(iter(loaded.tenants.values()))
    given = {"reference": LISTS, "party": PARTY, **parts}
    return PlanContext(
        tenant_id=tenant.tenant_id,
        tenant=tenant,
        source_id=SourceId("web"),
        source=loaded.sources[SourceId("web")],
        rules=RuleBook.of(loaded),
        **given,
    )


def booking(**parts: Any) -> BookingInquiry:
    """A wish for service."""
    return BookingInquiry(**{"key": "k1", "person": PERSON, "message": "The AC is out.", **parts})


def open_booking(**parts: Any) -> OpenBooking:
    """A booking that an earlier inquiry made."""
    given: dict[str, Any] = {
        "effect_key": EffectKey("0" * 32),
        "booking": KnownBooking(id=900, status="New"),
        "known_contacts": ("+1 512-555-0142",),
        "summary": "The AC is out.",
    }
    return OpenBooking(**given | parts)
