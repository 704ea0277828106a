"""The five things that happen without any rule."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from bridge.domain.command import (
    AddBookingContact,
    AddContact,
    AddNote,
    AttributeBooking,
    ChangeTags,
    CreateBooking,
    CreateCustomer,
    CreatedBy,
    DismissBooking,
    SetCustomFields,
    SetPreferences,
    UpdateBooking,
    UpdateContact,
    kind_of,
)
from bridge.domain.inquiry import (
    Activity,
    ActivityKind,
    Answer,
    Attribution,
    BookingChange,
    ChangeKind,
    Channel,
    ContactUpdate,
    Person,
    PreferenceChange,
)
from bridge.domain.match import Match
from bridge.domain.party import KnownBooking
from bridge.domain.plan import Plan
from bridge.planning.plan import plan
from tests.planning.facts import (
    AMBIGUOUS,
    BELOW,
    MATCHED,
    NEWCOMER,
    NOW,
    PERSON,
    UNMATCHED,
    booking,
    context,
    open_booking,
)


def commands(made: Plan) -> list[Any]:
    return [effect.command for effect in made.effects]


def kinds(made: Plan) -> list[str]:
    return [kind_of(effect.command) for effect in made.effects]


@pytest.mark.parametrize(("match", "first_time"), [(UNMATCHED, True), (MATCHED, False), (AMBIGUOUS, False)])
def test_a_booking_inquiry_books_at_once_whoever_it_is(match: Match, first_time: bool) -> None:
    inquiry = booking(
        service="ac repair",
        answers=(Answer("Brand", "Trane"),),
        attribution=Attribution(utm_source="google", gclid="g1"),
        preferred_start=NOW + timedelta(days=1),
    )
    made = plan(inquiry, match, context(), now=NOW)
    assert not made.holds
    assert made.opens_ask
    create, attribute = commands(made)
    assert isinstance(create, CreateBooking)
    assert isinstance(attribute, AttributeBooking)
    assert create.is_first_time_client is first_time
    assert (create.campaign_id, create.business_unit_id, create.job_type_id) == (2, 10, 20)
    assert (create.source, create.name, create.start) == ("Website form", "Dana Cruz", NOW + timedelta(days=1))
    assert [contact.value for contact in create.contacts] == ["(512) 555-0142", "dana@example.com"]
    assert create.address is not None
    assert create.address.country == "USA"
    assert "The AC is out." in create.summary
    assert "Brand: Trane" in create.summary
    assert "(512) 555-0142 / dana@example.com" in create.summary
    assert attribute.booking == CreatedBy(made.effects[0].key)
    assert made.effects[1].waits_for == (made.effects[0].key,)
    assert made.effects[0].origins["campaign_id"] == 'utm_source "google" by campaigns of tenant acme'


def test_the_candidates_of_an_ambiguous_match_stand_in_the_summary() -> None:
    create = commands(plan(booking(), AMBIGUOUS, context(), now=NOW))[0]
    assert "Dana Cruz (customer 100)" in create.summary
    assert "D. Cruz (customer 101)" in create.summary


def test_a_job_type_that_does_not_pair_wins_over_a_default_unit() -> None:
    create = commands(plan(booking(service="Drain clogged"), UNMATCHED, context(), now=NOW))[0]
    assert (create.business_unit_id, create.job_type_id) == (11, 21)


def test_a_name_that_two_campaigns_share_is_left_out_and_said() -> None:
    rules = "rules:\n  - name: r\n    do: [{create_booking: {campaign: Twice}}]\n"
    made = plan(booking(), UNMATCHED, context(rules), now=NOW)
    assert commands(made)[0].campaign_id == 1
    assert any("2 records go by that name" in trial.why for trial in made.trials)


def test_a_tracking_number_maps_to_its_campaign_however_it_is_written() -> None:
    inquiry = booking(attribution=Attribution(campaign="+1 (512) 555-0100"))
    assert commands(plan(inquiry, UNMATCHED, context(), now=NOW))[0].campaign_id == 3


def test_a_lead_nobody_could_reach_waits_for_a_person() -> None:
    made = plan(booking(person=Person(name="Dana")), UNMATCHED, context(), now=NOW)
    assert [hold.reason for hold in made.holds] == ["booking_incomplete"]
    assert not made.effects


def test_a_test_inquiry_is_not_booked_unless_wanted() -> None:
    assert plan(booking(is_test=True), UNMATCHED, context(), now=NOW).reason == "test_inquiry"
    wanted = context(more="    book_tests: true\n")
    assert kinds(plan(booking(is_test=True), UNMATCHED, wanted, now=NOW)) == ["create_booking"]


def test_the_same_ask_adds_only_what_is_new() -> None:
    inquiry = booking(message="The AC is out.", answers=(Answer("Gate code", "4411"),))
    made = plan(inquiry, UNMATCHED, context(open_booking=open_booking()), now=NOW)
    contact, update = commands(made)
    assert isinstance(contact, AddBookingContact)
    assert contact.contact.value == "dana@example.com"
    assert isinstance(update, UpdateBooking)
    assert update.append_summary == "Also asked by Website form:\nGate code: 4411"
    assert update.booking == 900
    assert made.joins == open_booking().effect_key
    assert made.reason == "duplicate_ask"


def test_the_same_ask_with_nothing_new_does_nothing() -> None:
    inquiry = booking(person=Person(name="Dana", phones=("512.555.0142",)))
    made = plan(inquiry, UNMATCHED, context(open_booking=open_booking()), now=NOW)
    assert not made.effects
    assert made.joins is not None


def test_the_replay_of_what_opened_the_ask_wants_the_same_effect_again() -> None:
    first = plan(booking(), UNMATCHED, context(), now=NOW)
    again = plan(booking(), UNMATCHED, context(open_booking=open_booking(effect_key=first.effects[0].key)), now=NOW)
    assert [effect.key for effect in again.effects] == [effect.key for effect in first.effects]
    forced = plan(booking(), UNMATCHED, context(nonce="n1"), now=NOW)
    assert forced.effects[0].key != first.effects[0].key


@pytest.mark.parametrize("status", ["Converted", "Dismissed"])
def test_an_ask_after_the_booking_was_closed_books_anew(status: str) -> None:
    closed = open_booking(booking=KnownBooking(id=900, status=status))
    assert kinds(plan(booking(), UNMATCHED, context(open_booking=closed), now=NOW)) == ["create_booking"]


def change(kind: ChangeKind, **parts: Any) -> BookingChange:
    return BookingChange(**{"key": "c1", "person": PERSON, "change": kind, "refers_to": "r1", **parts})


def test_a_reschedule_moves_the_booking_and_says_when_in_local_time() -> None:
    when = datetime(2026, 12, 1, 16, tzinfo=UTC)
    made = plan(
        change(ChangeKind.RESCHEDULE, new_start=when), UNMATCHED, context(earlier_booking=open_booking()), now=NOW
    )
    (update,) = commands(made)
    assert isinstance(update, UpdateBooking)
    assert (update.booking, update.start) == (900, when)
    assert "Tue 01 Dec 2026 10:00" in update.append_summary


def test_a_cancellation_dismisses_for_the_configured_reason() -> None:
    made = plan(
        change(ChangeKind.CANCEL, note="found somebody"), UNMATCHED, context(earlier_booking=open_booking()), now=NOW
    )
    (dismiss,) = commands(made)
    assert isinstance(dismiss, DismissBooking)
    assert dismiss.call_reason_id == 30
    assert "found somebody" in dismiss.memo


@pytest.mark.parametrize(
    ("match", "expected", "held"), [(MATCHED, ["add_note"], []), (BELOW, [], ["booking_is_job"]), (UNMATCHED, [], ["booking_is_job"])]
)  # fmt: skip
def test_a_change_of_what_is_a_job_becomes_a_note_or_waits(match: Match, expected: list[str], held: list[str]) -> None:
    job = open_booking(booking=KnownBooking(id=900, status="Converted", job_id=5))
    made = plan(change(ChangeKind.CANCEL), match, context(earlier_booking=job), now=NOW)
    assert kinds(made) == expected
    assert [hold.reason for hold in made.holds] == held


def update(**parts: Any) -> ContactUpdate:
    return ContactUpdate(**{"key": "u1", "record_id": "r1", "person": PERSON, "version": "1", **parts})


def test_a_contact_update_changes_only_what_differs() -> None:
    inquiry = update(fields={"lang": "spanish", "value": "$1,200"}, tags_added=("vip", "other"), note="moved")
    made = plan(inquiry, MATCHED, context(), now=NOW)
    contact, fields, tags, note = commands(made)
    assert isinstance(contact, AddContact)
    assert (contact.contact.type, contact.contact.value, contact.target) == ("Email", "dana@example.com", 100)
    assert isinstance(fields, SetCustomFields)
    assert [(change.name, change.value, change.base) for change in fields.changes] == [
        ("Preferred Language", "Spanish", "English"),
        ("Lifetime Value", "1200", None),
    ]
    assert isinstance(tags, ChangeTags)
    assert tags.added == (40,)
    assert isinstance(note, AddNote)
    assert {effect.lane for effect in made.effects} == {"party:100"}


def test_an_update_that_says_nothing_new_does_nothing() -> None:
    inquiry = update(person=Person(phones=("512-555-0142",)), fields={"lang": "English"})
    assert plan(inquiry, MATCHED, context(), now=NOW).reason == "nothing_differs"


def test_what_the_sender_did_not_change_is_not_looked_at() -> None:
    inquiry = update(person=Person(), fields={"lang": "Spanish", "value": "5"}, changed=("value",))
    (fields,) = commands(plan(inquiry, MATCHED, context(), now=NOW))
    assert [change.name for change in fields.changes] == ["Lifetime Value"]


def test_an_option_that_does_not_exist_waits_for_a_person_and_the_rest_goes_on() -> None:
    made = plan(update(fields={"lang": "Klingon"}), MATCHED, context(), now=NOW)
    assert [hold.reason for hold in made.holds] == ["field_value_invalid"]
    assert kinds(made) == ["add_contact"]


def test_the_one_contact_of_its_kind_is_replaced_where_wanted() -> None:
    more = "      contacts: replace_single\n"
    made = plan(update(person=Person(phones=("512-555-0199",))), MATCHED, context(more=more), now=NOW)
    (command,) = commands(made)
    assert isinstance(command, UpdateContact)
    assert (command.contact_id, command.value, command.base) == (1, "512-555-0199", "5125550142")


@pytest.mark.parametrize(
    ("match", "more", "reason", "expected"),
    [
        (UNMATCHED, "", "party_unmatched", []),
        (UNMATCHED, "      unmatched: hold\n", "party_new", []),
        (UNMATCHED, "      unmatched: create_customer\n", "processed", ["create_customer"]),
        (AMBIGUOUS, "      unmatched: create_customer\n", "match_ambiguous", []),
        (BELOW, "", "match_below_auto", []),
        (NEWCOMER, "", "party_unmatched", []),
        (NEWCOMER, "      unmatched: hold\n", "party_new", []),
        (NEWCOMER, "      unmatched: create_customer\n", "match_ambiguous", []),
    ],
)
def test_an_update_of_nobody_sure(match: Match, more: str, reason: str, expected: list[str]) -> None:
    made = plan(update(), match, context(more=more), now=NOW)
    assert (made.reason, kinds(made)) == (reason, expected)


def test_a_customer_needs_a_name_and_a_whole_address() -> None:
    more = "      unmatched: create_customer\n"
    person = msgspec.structs.replace(PERSON, address=type(PERSON.address)(street="12 Oak St"))
    made = plan(update(person=person), UNMATCHED, context(more=more), now=NOW)
    assert made.holds[0].reason == "customer_incomplete"
    (create,) = commands(plan(update(), UNMATCHED, context(more=more), now=NOW))
    assert isinstance(create, CreateCustomer)
    assert create.contacts[0].value == "(512) 555-0142"


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (Channel.SMS, SetPreferences(customer=100, marketing=False, contact_value="(512) 555-0142")),
        (Channel.EMAIL, SetPreferences(customer=100, marketing=False, contact_value="dana@example.com")),
        (Channel.MAIL, SetPreferences(customer=100, do_not_mail=True)),
    ],
)
def test_an_opt_out_switches_off_and_leaves_a_note(channel: Channel, expected: SetPreferences) -> None:
    inquiry = PreferenceChange(key="p1", person=PERSON, channel=channel, opted_in=False)
    made = plan(inquiry, MATCHED, context(), now=NOW)
    assert commands(made)[0] == expected
    assert kinds(made) == ["set_preferences", "add_note"]


@pytest.mark.parametrize(
    ("match", "reason"),
    [(MATCHED, "activity_noted"), (BELOW, "match_below_auto"), (AMBIGUOUS, "match_ambiguous"), (UNMATCHED, "party_unmatched"),
     (NEWCOMER, "party_unmatched")],
)  # fmt: skip
def test_a_call_becomes_a_note_at_a_customer_who_is_sure(match: Match, reason: str) -> None:
    inquiry = Activity(key="a1", person=PERSON, activity=ActivityKind.CALL, text="asked for a quote")
    made = plan(inquiry, match, context(), now=NOW)
    assert made.reason == reason
    assert kinds(made) == (["add_note"] if match is MATCHED else [])
