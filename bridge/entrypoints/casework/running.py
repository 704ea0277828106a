"""Runs a test case: read, planned with the facts it states, and compared. No database, no network, no clock."""

import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from bridge import bootstrap
from bridge.connectors.base import PayloadMalformed
from bridge.domain.command import Command, CreatedBy, kind_of
from bridge.domain.delivery import Delivery, Fetched, HookRequest
from bridge.domain.ids import ContactId, CustomerId, DeliveryId, EffectKey, LocationId, SourceId
from bridge.domain.inquiry import BookingChange, BookingInquiry, Inquiry, PostalAddress
from bridge.domain.match import Ambiguous, Match, Matched, MatchKind, Unmatched
from bridge.domain.party import KnownBooking, KnownContact, PartyRecord
from bridge.domain.plan import Plan
from bridge.domain.reference import (
    CUSTOMER_FIELD,
    JOB_TYPE,
    LOCATION_FIELD,
    TAG_TYPE,
    ListEntry,
    ReferenceLists,
)
from bridge.entrypoints.casework.cases import NAMED, Case, moment
from bridge.planning.context import OpenBooking, PlanContext
from bridge.planning.plan import plan
from bridge.planning.rules import RuleBook, RuleBroken
from bridge.settings import Fault, Place, Settings, did_you_mean
from bridge.settings.reading import Written, dotted

_EARLIER = EffectKey("0" * 32)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one inquiry, or of a delivery that asks for nothing, as plain data in the words of a case."""

    inquiry: Mapping[str, Any] | None = None
    commands: tuple[Mapping[str, Any], ...] = ()
    held: tuple[str, ...] = ()
    reason: str = ""
    asks_nothing: str = ""
    refused: str = ""
    why: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One case, run; no differences: it passed."""

    name: str
    at: Place
    differences: tuple[Fault, ...]


class _Named(ReferenceLists, frozen=True, kw_only=True):
    """The short lists of a ServiceTitan where every name the config says exists; a job type only where the config says it."""

    says: frozenset[str] = frozenset()
    names: dict[int, str] = msgspec.field(default_factory=dict)

    def candidates(self, kind: str, reference: int | str) -> tuple[ListEntry, ...]:
        """Return the entry of a name: what it is called, and an id made of it."""
        if isinstance(reference, int):
            return (ListEntry(id=reference, name=str(reference)),)
        if kind == JOB_TYPE and reference not in self.says:
            return ()
        number = 1_000_000_000 + zlib.crc32(f"{kind}:{' '.join(reference.casefold().split())}".encode()) % 900_000_000
        self.names[number] = reference
        return (ListEntry(id=number, name=reference),)


class Bench:
    """A config on which cases run."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._doors = bootstrap.doors_of(settings)
        self._rules = RuleBook.of(settings)
        self._says = frozenset(_texts([(one.services, one.defaults) for one in settings.tenants.values()])) | frozenset(
            _texts([one.booking for one in settings.sources.values()]) | _texts([rule.do for rule in settings.rules])
        )

    def run(self, case: Case) -> Result:
        """Run a case and say what differed."""
        outcomes = self.outcomes(case)
        found: list[Fault] = []
        if len(outcomes) != len(case.expected):
            found.append(
                Fault(
                    place=case.expected[0].place,
                    path="expect",
                    message=f"{len(case.expected)} outcomes are expected, there are {len(outcomes)}",
                )
            )
        for wanted, outcome in zip(case.expected, outcomes, strict=False):
            found += _differences(wanted, outcome)
        return Result(name=case.name, at=case.at, differences=tuple(found))

    def outcomes(self, case: Case) -> tuple[Outcome, ...]:
        """Return what becomes of a case."""
        door = self._doors[SourceId(case.given["source"])]
        request = request_of(case)
        try:
            identity = door.connector.identify(request, options=door.options)
            delivery = Delivery(
                id=DeliveryId(0), tenant_id=door.tenant_id, source_id=door.source_id, dedup_key=identity.dedup_key,
                event_type=identity.event_type, received_at=case.now, request=request, verified_by="test", trace_id="",
                fetched=tuple(_fetched(case)),
            )  # fmt: skip
            normalized = door.connector.normalize(delivery, options=door.options)
        except PayloadMalformed as bad:
            return (Outcome(refused=bad.reason.value, why=bad.detail or bad.reason.advice.text),)
        if not normalized.inquiries:
            return (Outcome(asks_nothing=normalized.reason.value, why=normalized.reason.advice.text),)
        return tuple(self._decided(case, delivery, inquiry) for inquiry in normalized.inquiries)

    def _decided(self, case: Case, delivery: Delivery, inquiry: Inquiry) -> Outcome:
        lists = _Named(is_loaded=True, says=self._says)
        tenant = self.settings.tenants[delivery.tenant_id]
        known, earlier = case.given.get("known", "nobody"), _earlier(case)
        facts: dict[str, Any] = known if isinstance(known, dict) else {}
        context = PlanContext(
            tenant_id=delivery.tenant_id,
            tenant=tenant,
            source_id=delivery.source_id,
            source=self.settings.sources[delivery.source_id],
            rules=self._rules,
            reference=lists,
            party=_party(facts, lists) if facts else None,
            open_booking=earlier if isinstance(inquiry, BookingInquiry) else None,
            earlier_booking=earlier if isinstance(inquiry, BookingChange) else None,
        )
        match = _match(known, facts, is_shadow=tenant.thresholds.shadow)
        try:
            made = plan(inquiry, match, context, now=case.now)
        except RuleBroken as broken:
            made = broken.plan()
        return _outcome(inquiry, made, lists.names)


def request_of(case: Case) -> HookRequest:
    """Return the request a case stands for."""
    given = case.given
    if "file" in given:
        body = (case.folder / given["file"]).read_bytes()
    else:
        body = given["body"].encode() if isinstance(given["body"], str) else json.dumps(given["body"]).encode()
    headers = {str(name).lower(): str(value) for name, value in (given.get("headers") or {}).items()}
    headers.setdefault("content-type", "application/json")
    url = f"https://bridge.example.com/hooks/{given['source']}{given.get('url', '')}"
    return HookRequest(method="POST", url=url, headers=tuple(headers.items()), body=body)


def _fetched(case: Case) -> Iterator[Fetched]:
    for one in case.given.get("fetched") or ():
        body = one.get("body", "")
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        yield Fetched(name=str(one.get("name", "")), status=int(one.get("status", 200)), body=raw, fetched_at=case.now)


def _earlier(case: Case) -> OpenBooking | None:
    facts = case.given.get("earlier")
    if facts is None:
        return None
    booking = KnownBooking(id=facts.get("id"), status=str(facts.get("status", "New")))
    return OpenBooking(
        effect_key=_EARLIER, booking=booking,
        known_contacts=tuple(map(str, facts.get("contacts") or ())), summary=str(facts.get("summary", "")),
    )  # fmt: skip


def _match(known: Any, facts: Mapping[str, Any], *, is_shadow: bool) -> Match:
    if known == "several":
        return Ambiguous()
    if not facts:
        return Unmatched()
    place = facts.get("location_id")
    return Matched(
        kind=MatchKind.CUSTOMER_NEW_LOCATION if place is None else MatchKind.CUSTOMER_AND_LOCATION,
        customer_id=CustomerId(facts["customer_id"]),
        location_id=None if place is None else LocationId(place),
        may_write=bool(facts.get("may_write", not is_shadow)),
    )


def _party(facts: Mapping[str, Any], lists: ReferenceLists) -> PartyRecord:
    ways = [("MobilePhone", phone) for phone in facts.get("phones") or ()]
    ways += [("Email", email) for email in facts.get("emails") or ()]
    place = facts.get("location_id")

    def ids(kind: str, names: Any) -> list[int]:
        return [lists.candidates(kind, name)[0].id for name in names or ()]

    def fields(kind: str, values: Any) -> dict[int, str]:
        return dict(zip(ids(kind, values), map(str, (values or {}).values()), strict=True))

    return PartyRecord(
        customer_id=CustomerId(facts["customer_id"]),
        name=str(facts.get("name", "")),
        location_id=None if place is None else LocationId(place),
        location_name=str(facts.get("location_name", "")),
        address=PostalAddress(**{name: str(value) for name, value in (facts.get("address") or {}).items()}),
        contacts=tuple(
            KnownContact(id=ContactId(number), type=kind, value=str(value))
            for number, (kind, value) in enumerate(ways, 1)
        ),
        customer_fields=fields(CUSTOMER_FIELD, facts.get("fields")),
        location_fields=fields(LOCATION_FIELD, facts.get("location_fields")),
        customer_tags=tuple(ids(TAG_TYPE, facts.get("tags"))),
        location_tags=tuple(ids(TAG_TYPE, facts.get("location_tags"))),
        do_not_service=bool(facts.get("do_not_service")),
        do_not_mail=bool(facts.get("do_not_mail")),
    )


def _outcome(inquiry: Inquiry, made: Plan, names: Mapping[int, str]) -> Outcome:
    return Outcome(
        inquiry={"type": str(inquiry.__struct_config__.tag), **plain(inquiry, {})},
        commands=tuple(_shown(effect.command, names) for effect in made.effects),
        held=tuple(hold.reason for hold in made.holds),
        reason=made.reason,
        why="; ".join(f"{trial.rule}: {trial.why}" for trial in made.trials if trial.applied and trial.why),
    )


def _shown(command: Command, names: Mapping[int, str]) -> dict[str, Any]:
    fields = plain(command, names)
    return {kind_of(command): {name.removesuffix("_id") if name in NAMED else name: fields[name] for name in fields}}


def plain(value: Any, names: Mapping[int, str]) -> Any:
    """Return a value of ours as plain data with every field there, and what the config names by its name."""
    if isinstance(value, CreatedBy):
        return "what is made before" if value.effect_key != _EARLIER else "the earlier booking"
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name), names) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(plain(key, names)): plain(item, names) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item, names) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool):
        return names.get(value, value)
    return str(value) if isinstance(value, str) else value


def _differences(wanted: Written, outcome: Outcome) -> Iterator[Fault]:
    expected = wanted.data
    ended = outcome.refused or outcome.asks_nothing
    word = "refused" if outcome.refused else "asks_nothing"
    if ended and word not in expected:
        yield _fault(wanted, (), f"it is over before: {word}: {ended} ({outcome.why})")
        return
    for name in ("refused", "asks_nothing", "reason"):
        if name in expected:
            got = getattr(outcome, name) or "nothing of that kind"
            yield from _compared(expected[name], got, (name,))
    if "held" in expected:
        held = expected["held"]
        listed = held if isinstance(held.data, list) else msgspec.structs.replace(held, data=[held])
        yield from _compared(listed, list(outcome.held), ("held",))
    if "inquiry" in expected:
        yield from _compared(expected["inquiry"], outcome.inquiry, ("inquiry",))
    if "commands" in expected:
        yield from _commands(expected["commands"], outcome)


def _commands(wanted: Written, outcome: Outcome) -> Iterator[Fault]:
    kinds = [next(iter(one.data)) if isinstance(one.data, dict) else one.data for one in wanted.data]
    made = [next(iter(one)) for one in outcome.commands]
    if kinds != made:
        held = f"; held: {', '.join(outcome.held)}" if outcome.held else ""
        said = f"expected {', '.join(kinds) or 'nothing'}, got {', '.join(made) or 'nothing'} ({outcome.reason}{held})"
        yield _fault(wanted, ("commands",), said)
        return
    for index, (one, got) in enumerate(zip(wanted.data, outcome.commands, strict=True)):
        if isinstance(one.data, dict) and next(iter(one.data.values())).data is not None:
            yield from _compared(one, got, ("commands", index))


def _compared(wanted: Written, got: Any, path: tuple[str | int, ...]) -> Iterator[Fault]:
    data = wanted.data
    if isinstance(data, dict) and isinstance(got, dict):
        for key, item in data.items():
            if key in got:
                yield from _compared(item, got[key], (*path, key))
            else:
                hint = did_you_mean(key, got) or f"there are {', '.join(got) or 'none'}"
                yield Fault(place=item.key_place, path=dotted((*path, key)), message="is not there", hint=hint)
    elif isinstance(data, dict) and isinstance(got, str) and list(data) == ["contains"]:
        part = str(data["contains"].data)
        if part not in got:
            yield _fault(wanted, path, f"expected a text with {part!r}, got {got!r}")
    elif isinstance(data, list) and isinstance(got, list) and len(data) == len(got):
        for index, (item, one) in enumerate(zip(data, got, strict=True)):
            yield from _compared(item, one, (*path, index))
    elif isinstance(data, list) or isinstance(got, list | dict) or not _same(wanted, got):
        yield _fault(wanted, path, f"expected {_said(wanted.plain())}, got {_said(got)}")


def _same(wanted: Written, got: Any) -> bool:
    if got in (wanted.data, wanted.raw or wanted.data):
        return isinstance(wanted.data, bool) == isinstance(got, bool)
    one, other = moment(wanted.data), moment(got)
    return one is not None and one == other


def _said(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fault(written: Written, path: tuple[str | int, ...], message: str) -> Fault:
    return Fault(place=written.place, path=dotted(path), message=message)


def _texts(value: Any) -> set[str]:
    """Return every text that stands somewhere in settings."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, Mapping):
        return {text for item in value.values() for text in _texts(item)}
    if isinstance(value, list | tuple):
        return {text for item in value for text in _texts(item)}
    fields = getattr(type(value), "model_fields", None)
    return {text for name in fields for text in _texts(getattr(value, name))} if fields else set()
