"""The five defaults as a table: what comes in, who it is, what is known, and every command that comes of it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from bridge.domain.command import CreatedBy, kind_of
from bridge.domain.ids import EffectKey
from bridge.domain.inquiry import (
    Answer,
    Attribution,
    BookingChange,
    ChangeKind,
    Channel,
    ContactUpdate,
    Person,
    PostalAddress,
    PreferenceChange,
)
from bridge.domain.party import KnownBooking
from bridge.domain.reference import CUSTOMER_FIELD, LOCATION_FIELD, TAG_TYPE, ListEntry
from bridge.entrypoints.rehearsal import requests_of
from bridge.planning.plan import plan
from bridge.settings.schema import FieldMapping
from tests.planning.facts import (
    AMBIGUOUS,
    BELOW,
    LISTS,
    MATCHED,
    NOW,
    PARTY,
    PERSON,
    UNMATCHED,
    booking,
    context,
    open_booking,
)

Commands = list[tuple[str, dict[str, Any]]]
KEY = EffectKey("0" * 32)
NEW = Person(name="Dana Cruz", phones=("512-555-0199",), emails=())
JOB = open_booking(booking=KnownBooking(id=900, status="Converted", job_id=5))
PLACES = msgspec.structs.replace(
    LISTS,
    entries={
        **LISTS.entries,
        LOCATION_FIELD: (ListEntry(id=60, name="Gate Code", data_type="Text"),),
        TAG_TYPE: (ListEntry(id=40, name="VIP"), ListEntry(id=41, name="Landlord")),
        CUSTOMER_FIELD: LISTS.entries[CUSTOMER_FIELD],
    },
)


def rule(do: str, when: str = "true") -> str:
    return f"rules:\n  - name: r\n    when: {when}\n    do: {do}\n"


def update(**parts: Any) -> ContactUpdate:
    return ContactUpdate(**{"key": "u1", "record_id": "r1", "person": Person(), "version": "1", **parts})


def change(kind: ChangeKind, **parts: Any) -> BookingChange:
    return BookingChange(**{"key": "c1", "person": PERSON, "change": kind, "refers_to": "r1", **parts})


UPDATES = "      unmatched: create_customer\n"
GATE = {"gate": FieldMapping(custom_field="Gate Code", on="location", policy="hold")}

TABLE: list[tuple[str, Any, Any, dict[str, Any], Commands, list[str]]] = [
    # 1. a booking inquiry
    ("books at once", booking(), UNMATCHED, {}, [("create_booking", {"is_first_time_client": True, "campaign_id": 1, "business_unit_id": 10, "send_confirmation_email": None})], []),
    ("a known client is not new", booking(), MATCHED, {}, [("create_booking", {"is_first_time_client": False})], []),
    ("doubt does not delay", booking(), AMBIGUOUS, {}, [("create_booking", {})], []),
    ("confirmation by rule", booking(), UNMATCHED, {"rules": rule("[{create_booking: {confirmation_email: true}}]")}, [("create_booking", {"send_confirmation_email": True})], []),
    ("confirmation by a template", booking(), UNMATCHED, {"rules": rule('[{create_booking: {confirmation_email: "{{ inquiry.person.emails | length > 1 }}"}}]')}, [("create_booking", {"send_confirmation_email": False})], []),
    ("confirmation by the source", booking(), UNMATCHED, {"more": "    booking: {confirmation_email: false, priority: High}\n"}, [("create_booking", {"send_confirmation_email": False, "priority": "High"})], []),
    ("a pair that matches", booking(service="AC Repair"), UNMATCHED, {}, [("create_booking", {"business_unit_id": 10, "job_type_id": 20})], []),
    ("the unit follows the job type", booking(service="drain is clogged"), UNMATCHED, {}, [("create_booking", {"business_unit_id": 11, "job_type_id": 21})], []),
    ("a unit by rule drops a job type of another", booking(service="drain"), UNMATCHED, {"rules": rule("[{create_booking: {business_unit: HVAC Service}}]")}, [("create_booking", {"business_unit_id": 10, "job_type_id": None})], []),
    ("campaign by utm, with attribution", booking(attribution=Attribution(utm_source="Google")), UNMATCHED, {}, [("create_booking", {"campaign_id": 2}), ("attribute_booking", {})], []),
    ("campaign by ad number", booking(attribution=Attribution(campaign="(512) 555-0100")), UNMATCHED, {}, [("create_booking", {"campaign_id": 3}), ("attribute_booking", {})], []),
    ("attribution by click id alone", booking(attribution=Attribution(gclid="g1")), UNMATCHED, {}, [("create_booking", {"campaign_id": 1}), ("attribute_booking", {"attribution": Attribution(gclid="g1")})], []),
    ("no attribution by rule", booking(attribution=Attribution(gclid="g1")), UNMATCHED, {"rules": rule("[{never: [attribute_booking]}]")}, [("create_booking", {})], []),
    ("no half address", booking(person=msgspec.structs.replace(PERSON, address=PostalAddress(street="12 Oak St"))), UNMATCHED, {}, [("create_booking", {"address": None})], []),
    ("a time gone by is no start", booking(preferred_start=NOW - timedelta(hours=1)), UNMATCHED, {}, [("create_booking", {"start": None})], []),
    ("nobody could be reached", booking(person=Person(name="Dana")), UNMATCHED, {}, [], ["booking_incomplete"]),
    # 2. the same ask again
    ("gets the new contact", booking(), UNMATCHED, {"open_booking": open_booking()}, [("add_booking_contact", {"booking": 900})], []),
    ("gets a longer summary", booking(person=NEW, message="Also the furnace."), UNMATCHED, {"open_booking": open_booking()}, [("add_booking_contact", {}), ("update_booking", {"append_summary": "Also asked by Website form:\nAlso the furnace."})], []),
    ("gets an answer", booking(person=Person(name="Dana", phones=("5125550142",)), answers=(Answer("Gate", "4411"),)), MATCHED, {"open_booking": open_booking()}, [("update_booking", {"append_summary": "Also asked by Website form:\nGate: 4411"})], []),
    ("before the booking has an id", booking(person=NEW, message="x"), UNMATCHED, {"open_booking": open_booking(booking=KnownBooking())}, [("add_booking_contact", {"booking": CreatedBy(KEY)}), ("update_booking", {"booking": CreatedBy(KEY)})], []),
    ("says nothing new", booking(person=Person(name="Dana", phones=("5125550142",))), UNMATCHED, {"open_booking": open_booking()}, [], []),
    ("of a closed one is a new one", booking(), UNMATCHED, {"open_booking": JOB}, [("create_booking", {})], []),
    # 3. reschedule and cancel
    ("moves", change(ChangeKind.RESCHEDULE, new_start=NOW + timedelta(days=1)), UNMATCHED, {"earlier_booking": open_booking()}, [("update_booking", {"booking": 900, "start": NOW + timedelta(days=1)})], []),
    ("dismisses for the configured reason", change(ChangeKind.CANCEL), UNMATCHED, {"earlier_booking": open_booking()}, [("dismiss_booking", {"booking": 900, "call_reason_id": 30})], []),
    ("dismisses one that has no id yet", change(ChangeKind.CANCEL), UNMATCHED, {"earlier_booking": open_booking(booking=KnownBooking())}, [("dismiss_booking", {"booking": CreatedBy(KEY)})], []),
    ("is a note where it is a job", change(ChangeKind.CANCEL, note="too late"), MATCHED, {"earlier_booking": JOB}, [("add_note", {"target": 100, "text": "Cancelled by Website form.\ntoo late", "pin_to_top": True})], []),
    ("asks where it is a job of nobody known", change(ChangeKind.RESCHEDULE), UNMATCHED, {"earlier_booking": JOB}, [], ["booking_is_job"]),
    ("asks where nothing is known", change(ChangeKind.CANCEL), UNMATCHED, {}, [], ["earlier_unknown"]),
    ("cancels once", change(ChangeKind.CANCEL), UNMATCHED, {"earlier_booking": open_booking(booking=KnownBooking(id=900, status="Dismissed"))}, [], []),
    # 4. a contact update
    ("adds a contact", update(person=NEW), MATCHED, {}, [("add_contact", {"target": 100})], []),
    ("changes the only one, its type kept", update(person=NEW), MATCHED, {"more": "      contacts: replace_single\n"}, [("update_contact", {"contact_id": 1, "value": "512-555-0199", "base": "5125550142"})], []),
    ("never deletes one", update(person=Person(phones=("5125550142",))), MATCHED, {}, [], []),
    ("writes a field of the location", update(fields={"gate": "4411"}), MATCHED, {"fields": GATE, "reference": PLACES}, [("set_custom_fields", {"party": "location", "target": 200})], []),
    ("adds and removes tags", update(tags_added=("VIP",), tags_removed=("x",)), MATCHED, {}, [("change_tags", {"added": (40,), "removed": ()})], []),
    ("keeps a tag that is there", update(tags_added=("vip",)), MATCHED, {"party": msgspec.structs.replace(PARTY, customer_tags=(40,))}, [], []),
    ("tags a location by rule", update(person=NEW), MATCHED, {"rules": rule("[{change_tags: {on: location, add: [Landlord]}}]"), "reference": PLACES}, [("add_contact", {}), ("change_tags", {"party": "location", "target": 200, "added": (41,)})], []),
    ("stops texts", PreferenceChange(key="p", person=PERSON, channel=Channel.SMS, opted_in=False), MATCHED, {}, [("set_preferences", {"marketing": False, "contact_value": "(512) 555-0142"}), ("add_note", {})], []),
    ("stops mail", PreferenceChange(key="p", person=PERSON, channel=Channel.MAIL, opted_in=False), MATCHED, {}, [("set_preferences", {"do_not_mail": True}), ("add_note", {})], []),
    ("leaves a note", update(note="moved"), MATCHED, {}, [("add_note", {"text": "Website form: moved"})], []),
    ("waits where not sure", update(person=NEW), BELOW, {}, [], ["match_below_auto"]),
    ("waits where several", update(person=NEW), AMBIGUOUS, {"more": UPDATES}, [], ["match_ambiguous"]),
    ("of nobody is ignored", update(person=NEW), UNMATCHED, {}, [], []),
    ("of nobody is held", update(person=NEW), UNMATCHED, {"more": "      unmatched: hold\n"}, [], ["party_new"]),
    ("of nobody creates", update(person=PERSON, fields={"lang": "spanish"}, tags_added=("vip",)), UNMATCHED, {"more": UPDATES, "party": None}, [("create_customer", {"name": "Dana Cruz", "location_name": "Dana Cruz", "tag_type_ids": (40,)})], []),
    ("of nobody creates by rule", update(person=PERSON), UNMATCHED, {"rules": rule("[{create_customer: {customer_type: Commercial}}]"), "party": None}, [("create_customer", {"customer_type": "Commercial"})], []),
    ("of nobody without an address waits", update(person=NEW), UNMATCHED, {"more": UPDATES}, [], ["customer_incomplete"]),
    # 5. leads
    ("a lead instead of a booking", booking(), UNMATCHED, {"rules": rule("[{never: [create_booking]}, {create_lead: {follow_up_in_days: 2}}]")}, [("create_lead", {"campaign_id": 1, "follow_up_date": NOW + timedelta(days=2), "customer_id": None})], []),
    ("a lead of a known customer", booking(), MATCHED, {"rules": rule("[{never: [create_booking]}, {create_lead: {call_reason: 30}}]")}, [("create_lead", {"customer_id": 100, "location_id": 200, "call_reason_id": 30, "follow_up_date": None})], []),
    ("a lead of somebody unsure names nobody", booking(), BELOW, {"rules": rule("[{never: [create_booking]}, {create_lead: {}}]")}, [("create_lead", {"customer_id": None, "follow_up_date": NOW + timedelta(days=1)})], []),
    ("the lead form", booking(), UNMATCHED, {"rules": rule("[{never: [create_booking]}, {submit_lead_form: {}}]")}, [("submit_lead_form", {"name": "Dana Cruz", "phone": "(512) 555-0142"})], []),
    ("the next follow-up", update(note="call me"), MATCHED, {"earlier_lead": 77, "rules": rule("[{follow_up_lead: {in_days: 3, text: '{{ inquiry.note }}'}}, {never: [add_note]}]")}, [("follow_up_lead", {"lead": 77, "on": (NOW + timedelta(days=3)).date(), "text": "call me"})], []),
    ("dismisses the lead", update(), MATCHED, {"earlier_lead": KEY, "rules": rule("[{dismiss_lead: {reason: Cancelled by Customer}}]")}, [("dismiss_lead", {"lead": CreatedBy(KEY), "call_reason_id": 30})], []),
    ("asks where no lead is known", update(), MATCHED, {"rules": rule("[{dismiss_lead: {reason: 30}}]")}, [], ["lead_unknown"]),
]  # fmt: skip


@pytest.mark.parametrize(("inquiry", "match", "given", "expected", "held"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])  # fmt: skip
def test_default(inquiry: Any, match: Any, given: dict[str, Any], expected: Commands, held: list[str]) -> None:
    given = dict(given)
    rules, more, fields = given.pop("rules", ""), given.pop("more", ""), given.pop("fields", {})
    known = context(rules, more, **given)
    if fields:
        updates = known.source.updates.model_copy(update={"fields": fields})
        known = msgspec.structs.replace(known, source=replace(known.source, updates=updates))
    made = plan(inquiry, match, known, now=NOW)
    assert [kind_of(effect.command) for effect in made.effects] == [kind for kind, _ in expected]
    for effect, (kind, wanted) in zip(made.effects, expected, strict=True):
        assert {name: getattr(effect.command, name) for name in wanted} == wanted, kind
        assert effect.rule
    assert [hold.reason for hold in made.holds] == held


def test_a_customer_is_created_with_its_location_and_external_data() -> None:
    known = context(more=UPDATES, party=None)
    (effect,) = plan(update(person=PERSON), UNMATCHED, known, now=NOW).effects
    guid = "11111111-1111-4111-8111-111111111111"
    (request,) = asyncio.run(requests_of(replace(known.tenant, external_data_guid=guid), effect))
    assert (request.method, request.url.rpartition("/v2/")[2]) == ("POST", "tenant/7/customers")
    mark = {"applicationGuid": guid, "externalData": [{"key": "bridge_effect", "value": effect.key}]}
    assert request.body["externalData"] == mark
    assert request.body["locations"][0]["externalData"] == mark
    assert request.body["locations"][0]["address"]["zip"] == "78701"
