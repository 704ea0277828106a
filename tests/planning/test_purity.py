"""Planning is a pure function, and no plan writes to a customer that is not sure."""

import copy
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.command import (
    AddContact,
    AddNote,
    ChangeTags,
    Command,
    CreateCustomer,
    CreateLead,
    CreateLocation,
    SetCustomFields,
    SetPreferences,
    UpdateContact,
)
from bridge.domain.inquiry import (
    Activity,
    ActivityKind,
    Answer,
    Attribution,
    BookingChange,
    BookingInquiry,
    ChangeKind,
    Channel,
    ContactUpdate,
    Inquiry,
    Person,
    PostalAddress,
    PreferenceChange,
)
from bridge.domain.plan import Plan
from bridge.planning import extras, parties
from bridge.planning.plan import plan
from tests.planning.facts import AMBIGUOUS, BELOW, MATCHED, NEWCOMER, NOW, UNMATCHED, context, open_booking

pytestmark = pytest.mark.slow

TO_CUSTOMER = (AddContact, AddNote, ChangeTags, CreateLocation, SetCustomFields, SetPreferences, UpdateContact)
RULES = """rules:
  - name: everything
    when: inquiry.message != "quiet"
    do:
      - add_note: {text: "{{ inquiry.person.display_name }}"}
      - change_tags: {add: [VIP]}
      - set_custom_fields: {fields: {Lifetime Value: {value: 5}}}
      - create_location: {}
      - create_lead: {follow_up_in_days: 1}
"""
CONTEXTS = {
    "plain": context(),
    "rules": context(RULES),
    "create": context(more="      unmatched: create_customer\n"),
    "open": context(RULES, open_booking=open_booking(), earlier_booking=open_booking()),
    "unknown": context(RULES, party=None),
}
words = st.text(max_size=20)
people = st.builds(
    Person,
    name=words,
    company=words,
    phones=st.lists(st.sampled_from(["(512) 555-0142", "5125550199", "x"]) | words, max_size=3).map(tuple),
    emails=st.lists(st.sampled_from(["dana@example.com", "DANA@example.com"]) | words, max_size=2).map(tuple),
    address=st.builds(PostalAddress, street=words, city=words, state=words, zip=words),
)
answers = st.lists(st.builds(Answer, words, words), max_size=3).map(tuple)
fields = st.dictionaries(st.sampled_from(["lang", "value", "other"]), st.sampled_from(["Spanish", "12", ""]) | words)
stem: dict[str, Any] = {"key": st.just("k"), "person": people, "is_test": st.booleans()}
inquiries: st.SearchStrategy[Inquiry] = st.one_of(
    st.builds(
        BookingInquiry,
        **stem,
        message=words | st.just("quiet"),
        service=words | st.just("AC Repair"),
        priority=words,
        answers=answers,
        attribution=st.builds(Attribution, utm_source=words, campaign=words, gclid=words),
        preferred_start=st.none() | st.integers(-5, 5).map(lambda days: NOW + timedelta(days=days)),
    ),
    st.builds(BookingChange, **stem, change=st.sampled_from(ChangeKind), refers_to=words, note=words, answers=answers),
    st.builds(
        ContactUpdate,
        **stem,
        fields=fields,
        note=words,
        tags_added=st.lists(st.sampled_from(["vip", "VIP", "x"])).map(tuple),
        is_deleted=st.booleans(),
    ),
    st.builds(PreferenceChange, **stem, channel=st.sampled_from(Channel), opted_in=st.booleans()),
    st.builds(Activity, **stem, activity=st.sampled_from(ActivityKind), text=words, answers=answers),
)


def written_to_somebody_unsure(made: Plan, match: Any) -> list[Command]:
    """Return what a plan does to an existing customer, or says of one, though the match is not sure."""
    commands = [effect.command for effect in made.effects]
    if match is MATCHED:
        return []
    return [
        command
        for command in commands
        if isinstance(command, TO_CUSTOMER)
        or (isinstance(command, CreateLead) and command.customer_id is not None)
        or (isinstance(command, CreateCustomer) and match is not UNMATCHED)
    ]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(inquiries, st.sampled_from([MATCHED, BELOW, AMBIGUOUS, NEWCOMER, UNMATCHED]), st.sampled_from(sorted(CONTEXTS)))
def test_the_same_in_gives_the_same_out_and_nobody_unsure_is_written_to(
    inquiry: Inquiry, match: Any, name: str
) -> None:
    before = msgspec.json.encode([inquiry, match])
    made = plan(inquiry, match, CONTEXTS[name], now=NOW)
    assert made == plan(inquiry, match, CONTEXTS[name], now=NOW)
    assert msgspec.json.encode([inquiry, match]) == before
    assert msgspec.json.encode(made) == msgspec.json.encode(
        plan(copy.deepcopy(inquiry), copy.deepcopy(match), CONTEXTS[name], now=NOW)
    )
    keys = [effect.key for effect in made.effects]
    assert len(set(keys)) == len(keys)
    assert not written_to_somebody_unsure(made, match)


@pytest.mark.parametrize("match", [BELOW, AMBIGUOUS])
def test_the_property_fails_where_the_guard_is_broken(match: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A property that no broken code breaks proves nothing."""

    def unguarded(_desk: Any, effects: tuple[Any, ...], *, reason: Any) -> Plan:
        return Plan(effects=effects, reason=reason.value)

    def known(_match: Any) -> Any:
        return MATCHED.customer_id, MATCHED.location_id

    for module in (extras, parties):
        monkeypatch.setattr(module, "guarded", unguarded)
    monkeypatch.setattr(parties, "known_party", known)
    inquiry = ContactUpdate(key="k", person=Person(emails=("new@example.com",)))
    made = plan(inquiry, match, CONTEXTS["plain"], now=NOW)
    assert written_to_somebody_unsure(made, match)
