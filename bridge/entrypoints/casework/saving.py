"""A real delivery as a test case: its people are made up, and what becomes of it now is what is expected."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from ruamel.yaml import YAML

from bridge.connectors.base import PayloadMalformed
from bridge.domain.delivery import Delivery
from bridge.domain.inquiry import BookingChange, Inquiry
from bridge.domain.match import Ambiguous, Match, Matched
from bridge.domain.party import PartyRecord
from bridge.domain.reference import CUSTOMER_FIELD, LOCATION_FIELD, TAG_TYPE, ReferenceLists
from bridge.entrypoints.casework.cases import Case
from bridge.entrypoints.casework.made_up import MadeUp
from bridge.entrypoints.casework.running import Bench, Outcome
from bridge.intake.gate import Door
from bridge.settings import Place, Settings

_LITERAL = re.compile(r"\"([^\"]{3,})\"|'([^']{3,})'")


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What was known when the delivery was decided: the match, the party as it stands now, and the account's lists."""

    match: Match | None = None
    party: PartyRecord | None = None
    lists: ReferenceLists = ReferenceLists()
    joined: bool = False


class Saved(msgspec.Struct, frozen=True):
    """A case as YAML, and what a person should know about it."""

    text: str
    note: str = ""


def case_of(settings: Settings, door: Door, delivery: Delivery, known: Known) -> Saved:
    """Return a delivery as a test case; raise UnicodeDecodeError where its body is no text."""
    inquiries = _read(door, delivery)
    places = [known.party.address] if known.party else []
    made_up = MadeUp(inquiries, places, keeps=_phrases(settings, door))
    request = delivery.request
    if known.party is not None and known.party.name:
        made_up.name(known.party.name)
    given: dict[str, Any] = {
        "name": f"{door.connector.title}, {delivery.event_type or 'one delivery'} of {delivery.received_at:%Y-%m-%d}",
        "source": str(delivery.source_id),
        "received_at": delivery.received_at.isoformat(),
    }
    if headers := made_up.headers(request.headers):
        given["headers"] = headers
    if query := made_up.query(urlsplit(request.url).query):
        given["url"] = f"?{query}"
    given["body"] = made_up.body(request.body, request.content_type)
    if delivery.fetched:
        given["fetched"] = [
            {"name": one.name, "status": one.status, "body": made_up.body(one.body, "application/json")}
            for one in delivery.fetched
        ]
    given |= _facts(known, made_up)
    if known.joined or any(isinstance(one, BookingChange) for one in inquiries):
        given["earlier"] = {"status": "New"}
    case = Case(given["name"], Place(""), given, (), Path())
    outcomes = Bench(settings).outcomes(case)
    expected = [_expected(outcome) for outcome in outcomes]
    given["expect"] = expected[0] if len(expected) == 1 else expected
    return Saved(_written(given), _note(inquiries, outcomes))


def _read(door: Door, delivery: Delivery) -> tuple[Inquiry, ...]:
    try:
        return door.connector.normalize(delivery, options=door.options).inquiries
    except PayloadMalformed:
        return ()


def _phrases(settings: Settings, door: Door) -> set[str]:
    """Return what the config asks of texts: they must stay for the test to mean anything."""
    tenant = settings.tenants[door.tenant_id]
    said = "\n".join(rule.when for rule in settings.rules)
    return {one or other for one, other in _LITERAL.findall(said)} | {*tenant.services, *tenant.campaigns}


def _facts(known: Known, made_up: MadeUp) -> dict[str, Any]:
    if isinstance(known.match, Ambiguous):
        return {"known": "several"}
    if not isinstance(known.match, Matched):
        return {}
    facts: dict[str, Any] = {"customer_id": 100, "may_write": known.match.may_write}
    if known.match.location_id is not None:
        facts["location_id"] = 200
    party, lists = known.party, known.lists
    if party is None:
        return {"known": facts}

    def named(kind: str, number: int) -> str:
        entry = lists.find(kind, number)
        return entry.name if entry else str(number)

    def fields(kind: str, values: Mapping[int, str]) -> dict[str, str]:
        return {named(kind, number): made_up.leaf(value) for number, value in values.items()}

    facts |= {
        "name": made_up.name(party.name),
        "phones": [made_up.leaf(one.value) for one in party.contacts if one.type != "Email"],
        "emails": [made_up.leaf(one.value) for one in party.contacts if one.type == "Email"],
        "fields": fields(CUSTOMER_FIELD, party.customer_fields),
        "location_fields": fields(LOCATION_FIELD, party.location_fields),
        "tags": [named(TAG_TYPE, tag) for tag in party.customer_tags],
        "location_tags": [named(TAG_TYPE, tag) for tag in party.location_tags],
        "do_not_service": party.do_not_service,
        "do_not_mail": party.do_not_mail,
    }
    return {"known": {name: value for name, value in facts.items() if value or name == "may_write"}}


def _expected(outcome: Outcome) -> dict[str, Any]:
    for name in ("refused", "asks_nothing"):
        if ended := getattr(outcome, name):
            return {name: ended}
    inquiry = {name: value for name, value in (outcome.inquiry or {}).items() if name not in ("key", "origins", "data")}
    found: dict[str, Any] = {
        "inquiry": _said(inquiry),
        "reason": outcome.reason,
        "commands": [{kind: _said(fields) for kind, fields in command.items()} for command in outcome.commands],
    }
    return {**found, "held": list(outcome.held)} if outcome.held else found


def _said(value: Any) -> Any:
    """Return data without what is empty."""
    if isinstance(value, dict):
        kept = {name: _said(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in ("", None, [], {})}
    return [_said(item) for item in value] if isinstance(value, list) else value


def _written(given: Mapping[str, Any]) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # ruamel calls it None until it is set
    yaml.width = 110
    yaml.allow_unicode = True
    out = io.StringIO()
    yaml.dump({"tests": [dict(given)]}, out)
    return out.getvalue()


def _note(inquiries: tuple[Inquiry, ...], outcomes: tuple[Outcome, ...]) -> str:
    real = [str(one.__struct_config__.tag) for one in inquiries]
    made = [str(one.inquiry["type"]) for one in outcomes if one.inquiry]
    return (
        ""
        if real == made
        else f"with made-up data it reads as {made or 'nothing'}, the real one as {real or 'nothing'}"
    )
