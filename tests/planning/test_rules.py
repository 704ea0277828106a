"""Rules: the first that fits wins for each kind of command, each trial is told, and a bomb fails its inquiry alone."""

from typing import Any

import msgspec
import pytest

from bridge.domain.command import CreateLead, SetCustomFields, SubmitLeadForm, kind_of
from bridge.domain.inquiry import Answer as InquiryAnswer
from bridge.domain.inquiry import Attribution, ContactUpdate, Person
from bridge.domain.plan import Plan
from bridge.planning.answers import Answer
from bridge.planning.plan import plan
from bridge.planning.rules import RuleBook, RuleBroken
from bridge.planning.view import view_of
from bridge.settings import RuleSettings
from bridge.settings.rules import Do
from bridge.settings.vocabulary import NAMES
from tests.planning.facts import (
    AMBIGUOUS,
    BELOW,
    MATCHED,
    NOW,
    PARTY,
    PERSON,
    UNMATCHED,
    booking,
    context,
    open_booking,
)


def made(rules: str, match: Any = UNMATCHED, **parts: Any) -> Plan:
    return plan(booking(**parts), match, context("rules:\n" + rules), now=NOW)


def test_the_first_rule_that_fits_wins_for_its_kind() -> None:
    found = made(
        "  - name: never fits\n    when: match.kind == 'matched'\n    do: [{create_booking: {priority: Low}}]\n"
        "  - name: one\n    when: '\"AC\" in inquiry.message'\n"
        "    do: [{create_booking: {priority: Urgent, append_summary: '{{ inquiry.person.name }}!'}}]\n"
        "  - name: two\n    when: inquiry.kind == 'booking_inquiry'\n"
        "    do: [{create_booking: {priority: High}, submit_lead_form: {}}]\n"
    )
    create, form = (effect.command for effect in found.effects)
    assert getattr(create, "priority", "") == "Urgent"
    assert getattr(create, "summary", "").endswith("\nDana Cruz!")
    assert isinstance(form, SubmitLeadForm)
    assert [(trial.rule, trial.applied) for trial in found.trials[:3]] == [
        ("never fits", False), ("one", True), ("two", True),
    ]  # fmt: skip
    assert found.trials[0].why == "match.kind is unmatched"
    assert 'create_booking was taken by "one"' in found.trials[2].why
    assert found.trials[1].at == "c.yaml:25"
    assert [effect.rule for effect in found.effects] == ["one", "two"]


def test_a_lead_instead_of_a_booking() -> None:
    found = made(
        "  - name: price shoppers\n    do:\n      - never: [create_booking]\n"
        "      - create_lead: {summary: 'asked: {{ inquiry.message }}', follow_up_in_days: 2}\n"
    )
    (lead,) = (effect.command for effect in found.effects)
    assert isinstance(lead, CreateLead)
    assert (lead.campaign_id, lead.summary) == (1, "asked: The AC is out.")
    assert lead.follow_up_date is not None


def test_hold_and_ignore_end_the_trying() -> None:
    held = made("  - name: wait\n    when: inquiry.kind == 'booking_inquiry'\n    do: [{hold: is it real?}]\n")
    assert not held.effects
    assert held.holds[0].reason == "held_by_rule"
    assert [kind_of(command) for command in held.holds[0].commands] == ["create_booking"]
    ignored = made("  - name: drop\n    when: inquiry.message\n    do: [{ignore: spam}]\n")
    assert (ignored.reason, ignored.effects, ignored.holds) == ("ignored_by_rule", (), ())


@pytest.mark.parametrize(("match", "writes", "held"), [(MATCHED, True, []), (BELOW, False, ["match_below_auto"]), (AMBIGUOUS, False, ["match_ambiguous"])])  # fmt: skip
def test_a_note_by_rule_goes_only_to_a_customer_who_is_sure(match: Any, writes: bool, held: list[str]) -> None:
    found = made("  - name: n\n    do: [{add_note: {text: hello}}]\n", match)
    kinds = [kind_of(effect.command) for effect in found.effects]
    assert kinds == (["create_booking", "add_note"] if writes else ["create_booking"])
    assert [hold.reason for hold in found.holds] == held


BOMBS = [
    "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}",
    "{{ 'a' * 1000000000 }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ range(100000000) | list | length }}",
    "{{ ('a' * 100000) | replace('a', 'b' * 100000) | length }}",
    "{{ range(10000) | list * 10000 }}",
    "{{ [[1] * 10000] * 10000 }}",
    "{% set n = namespace(x=[1]) %}{% for i in range(40) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ 'x' | indent(1000000000) }}",
    "{{ 1 / 0 }}",
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_stops_and_names_its_rule(bomb: str) -> None:
    """Also where no check saw it before: the rule is put in as if the config had been loaded."""
    do = (Do.model_validate({"create_booking": {"summary": bomb}}),)
    rule = RuleSettings(name="bomb", when="", tenant_key=None, source_id=None, do=do, at="c.yaml:22")
    with pytest.raises(RuleBroken, match=r'rule "bomb" at c\.yaml:22') as broken:
        plan(booking(), UNMATCHED, msgspec.structs.replace(context(), rules=RuleBook((rule,))), now=NOW)
    assert broken.value.reason.value == "rule_failed"


@pytest.mark.parametrize("bomb", [bomb[3:-3] for bomb in BOMBS if bomb.count("{{") == 1 and "{%" not in bomb])
def test_a_bomb_in_a_condition_stops_too(bomb: str) -> None:
    rule = RuleSettings(name="bomb", when=bomb, tenant_key=None, source_id=None, do=(), at="c.yaml:22")
    with pytest.raises(RuleBroken):
        plan(booking(), UNMATCHED, msgspec.structs.replace(context(), rules=RuleBook((rule,))), now=NOW)


@pytest.mark.parametrize("broken", ["when: 1 / 0", "do: [{create_booking: {summary: '{{ 1 / 0 }}'}}]"])
def test_the_rules_before_one_that_breaks_are_told_too(broken: str) -> None:
    rules = f"  - name: fits not\n    when: match.kind == 'matched'\n    do: [{{ignore: x}}]\n  - name: breaks\n    {broken}\n"
    with pytest.raises(RuleBroken) as raised:
        made(rules if "do:" in broken else f"{rules}    do: [{{ignore: y}}]\n")
    told = raised.value.plan()
    assert [trial.rule for trial in told.trials if not trial.applied] == ["fits not", "breaks"]
    assert told.trials[-1].why.startswith("broke: cannot be done with these values")
    assert told.trials[-1].at == "c.yaml:25"
    assert not told.effects


def test_python_is_out_of_reach() -> None:
    found = made("  - name: p\n    do: [{create_booking: {summary: \"{{ ''.__class__.__mro__ }}|\"}}]\n")
    assert getattr(found.effects[0].command, "summary", "") == "|"


def test_rules_see_exactly_the_names_that_check_knows() -> None:
    view = view_of(booking(), MATCHED, context(), now=NOW)
    assert set(view) == {name for name in NAMES if "." not in name}
    for path, names in NAMES.items():
        seen: Any = view
        for part in path.split("."):
            seen = seen.get(part, {})
        if seen:
            assert set(seen) == set(names), path


def test_what_a_rule_sets_comes_beside_what_the_source_maps() -> None:
    rules = (
        "rules:\n  - name: r\n    do:\n"
        "      - set_custom_fields: {fields: {Preferred Language: {value: English}}}\n      - change_tags: {add: [VIP]}\n"
    )
    party = msgspec.structs.replace(PARTY, customer_fields={}, customer_tags=())
    inquiry = ContactUpdate(key="u", person=Person(), fields={"lang": "Spanish", "value": "5"})
    found = plan(inquiry, MATCHED, context(rules, party=party), now=NOW)
    mapped, ruled, tags = (effect.command for effect in found.effects)
    assert isinstance(mapped, SetCustomFields)
    assert isinstance(ruled, SetCustomFields)
    assert [change.name for change in mapped.changes] == ["Lifetime Value"]
    assert [(change.name, change.value) for change in ruled.changes] == [("Preferred Language", "English")]
    assert kind_of(tags) == "change_tags"
    assert [effect.rule for effect in found.effects] == ["default: custom fields that differ", "r", "r"]


def test_a_hold_keeps_the_names_of_what_it_holds() -> None:
    rules = "rules:\n  - name: wait\n    do: [{hold: is it real?}]\n"
    inquiry = booking(attribution=Attribution(gclid="g"))
    held = plan(inquiry, UNMATCHED, context(rules), now=NOW)
    free = plan(inquiry, UNMATCHED, context(), now=NOW)
    assert [effect.key for effect in held.holds[0].effects] == [effect.key for effect in free.effects]


@pytest.mark.parametrize(("is_yes", "kinds", "reason"), [(True, ["create_booking"], "processed"), (False, [], "dismissed")])  # fmt: skip
def test_a_question_that_was_answered_is_not_asked_again(is_yes: bool, kinds: list[str], reason: str) -> None:
    rules = "rules:\n  - name: wait\n    do: [{hold: is it real?}]\n"
    answer = Answer(reason="held_by_rule", detail="", is_yes=is_yes)
    found = plan(booking(), UNMATCHED, context(rules, answers=(answer,)), now=NOW)
    assert ([kind_of(effect.command) for effect in found.effects], found.reason, found.holds) == (kinds, reason, ())
    assert found.opens_ask is is_yes


def test_a_no_to_another_question_is_no_answer() -> None:
    answer = Answer(reason="match_ambiguous", detail="candidates: 1, 2", is_yes=False, is_same=False)
    inquiry = ContactUpdate(key="u", person=PERSON, fields={"lang": "Spanish"})
    assert plan(inquiry, AMBIGUOUS, context(answers=(answer,)), now=NOW).reason == "match_ambiguous"
    same = msgspec.structs.replace(answer, detail="candidates: 100, 101")
    assert plan(inquiry, AMBIGUOUS, context(answers=(same,)), now=NOW).reason == "dismissed"


def test_a_rule_makes_no_second_lead_of_the_same_ask_and_none_of_a_test() -> None:
    rules = "rules:\n  - name: r\n    do: [{create_lead: {}}]\n"
    again = plan(
        booking(answers=(InquiryAnswer("Gate", "4411"),)),
        UNMATCHED,
        context(rules, open_booking=open_booking()),
        now=NOW,
    )
    assert {kind_of(effect.command) for effect in again.effects} == {"add_booking_contact", "update_booking"}
    assert not plan(booking(is_test=True), UNMATCHED, context(rules), now=NOW).effects


def test_a_command_that_means_nothing_here_is_said() -> None:
    found = made("  - name: r\n    do: [{create_customer: {}}]\n")
    assert any(trial.rule == "create_customer" and "means nothing" in trial.why for trial in found.trials)


def test_preferences_by_rule_change_only_what_differs() -> None:
    rules = "rules:\n  - name: r\n    do: [{set_preferences: {do_not_mail: true}}]\n"
    found = made(rules.removeprefix("rules:\n"), MATCHED)
    assert [kind_of(effect.command) for effect in found.effects] == ["create_booking", "set_preferences"]
    known = msgspec.structs.replace(PARTY, do_not_mail=True)
    again = plan(booking(), MATCHED, context(rules, party=known), now=NOW)
    assert [kind_of(effect.command) for effect in again.effects] == ["create_booking"]


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ('inquiry.kind == "booking_inquiry" and "heat" in inquiry.message and 1 / 0', 'inquiry.kind is booking_inquiry; not so: "heat" in inquiry.message'),
        ("(inquiry.message and false) and true", "not so: (inquiry.message and false)"),
        ('"x and y" in inquiry.message and true', 'not so: "x and y" in inquiry.message'),
        ("inquiry.message == 'a' or inquiry.service == 'b' and true", "inquiry.service is empty"),
        ("match.kind == 'matched'", "match.kind is unmatched"),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_apply_says_which_part_is_not_so(when: str, why: str) -> None:
    trial = made(f"  - name: r\n    when: '{when.replace(chr(39), chr(39) * 2)}'\n    do: [{{ignore: x}}]\n").trials[0]
    assert (trial.applied, trial.why) == (False, why)
