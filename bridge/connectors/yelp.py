"""Yelp leads: partners only, thin; the lead and its conversation are fetched."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from bridge.connectors.base import About, Fetch, Normalized, Reply, Secret, Skipped, SourceOptions
from bridge.connectors.dialect import SHARED, Dialect, fetched_json, wish
from bridge.connectors.extract import Draft, Field
from bridge.connectors.payloads import dig, items, objects, query, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ActivityKind, Channel, Inquiry, PreferenceChange
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

_OPT = {"CONSUMER_PHONE_NUMBER_OPT_IN_EVENT": True, "CONSUMER_PHONE_NUMBER_OPT_OUT_EVENT": False}


class YelpLeads(Dialect):
    """Leads of Yelp's Request a Quote."""

    kind = "yelp-leads"
    about = About(
        title="Yelp leads", family="marketplace", signature="none known; a token in the URL",
        dedup="event_id of every update", retries="unknown",
        hydration="GET api.yelp.com/v3/leads/{id} and /events with an OAuth token",
        setup=("Yelp partner programme › Leads webhook subscription: URL = hook URL with `?token=<token>`.",),
        paste="the token of the URL",
        guessed=("The verification GET is answered with its `verification` value as JSON; the shape of lead and events.",),
    )  # fmt: skip
    methods = frozenset({"POST", "GET"})
    shared = SHARED
    handled = frozenset({"NEW_EVENT", *_OPT})
    hosts = frozenset({"api.yelp.com"})

    def handshake(self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions) -> Reply | None:
        """Return the verification value of a GET, as JSON."""
        del secrets, options
        if request.method != "GET":
            return None
        asked = query(request)
        value = asked.get("verification") or asked.get("challenge") or ""
        return Reply(body=msgspec.json.encode({"verification": value}), media_type="application/json")

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the type of the first update that is known."""
        del request
        kinds = [text(update.get("event_type")) for update in _updates(payload)]
        return next((kind for kind in kinds if kind in self.handled), kinds[0] if kinds else "unknown")

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the ids of all updates."""
        del request
        idents = [text(update.get("event_id")) for update in _updates(payload)]
        return "|".join(filter(None, idents)) if len(idents) <= 5 else ""

    def fetches(self, delivery: Delivery, *, options: SourceOptions) -> tuple[Fetch, ...]:
        """Describe the lead and its events, once per lead."""
        if options.hydrate is None:
            return ()
        idents = dict.fromkeys(text(update.get("lead_id")) for update in _updates(self.read(delivery.request)))
        found = []
        for ident in filter(None, idents):
            url = f"https://api.yelp.com/v3/leads/{quote(ident, safe='')}"
            found.append(Fetch(name=f"lead/{ident}", url=url, auth=options.hydrate.auth))
            found.append(Fetch(name=f"events/{ident}", url=f"{url}/events", auth=options.hydrate.auth))
        return tuple(found)

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a lead's first event as a wish, its later ones as messages, opt-ins and opt-outs as such."""
        inquiries: list[Inquiry] = []
        rest: list[Skipped] = []
        for update in _updates(payload):
            kind, ident, lead_id = (text(update.get(name)) for name in ("event_type", "event_id", "lead_id"))
            answer = fetched_json(delivery, f"lead/{lead_id}")
            if kind not in self.handled:
                rest.append(Skipped(event_type=kind, reason=Reason.EVENT_UNSUPPORTED, key=ident))
                continue
            if answer is None or answer[0] != 200 or not isinstance(answer[1], dict):
                reason = Reason.HYDRATION_MISSING if answer is None else Reason.HYDRATION_REFUSED
                rest.append(Skipped(event_type=kind, reason=reason, key=ident))
                continue
            draft = self.draft(list(_fields(answer[1])), answer[1], delivery, options)
            found = _one(draft, update, lead_id, fetched_json(delivery, f"events/{lead_id}"))
            inquiries += found.inquiries
            rest += found.skipped
        return Normalized(inquiries=tuple(inquiries), skipped=tuple(rest))


def _one(draft: Draft, update: dict[str, Any], lead_id: str, events: tuple[int, Any] | None) -> Normalized:
    kind, ident = text(update.get("event_type")), text(update.get("event_id"))
    at = moment(update.get("interaction_time"))
    if kind in _OPT:
        change = PreferenceChange(
            key=ident, record_id=lead_id, person=draft.person(), occurred_at=at, origins=draft.origins,
            channel=Channel.PHONE, opted_in=_OPT[kind],
        )  # fmt: skip
        return Normalized(inquiries=(change,))
    said = objects(dig(events[1], "events")) if events else []
    mine = next((event for event in said if text(event.get("id")) == ident), None)
    if mine is None or mine is said[0]:
        return wish(draft, kind, key=lead_id, record_id=lead_id, occurred_at=at, channel="marketplace")
    if text(mine.get("user_type")).upper() == "BUSINESS":
        return Normalized(skipped=(Skipped(event_type=kind, reason=Reason.EVENT_IGNORED, key=ident),))
    words = text(dig(mine, "event_content", "text")) or text(dig(mine, "event_content", "fallback_text"))
    return Normalized(
        inquiries=(draft.activity(ActivityKind.MESSAGE, key=ident, record_id=lead_id, occurred_at=at, said=words),)
    )


def _updates(payload: dict[str, Any]) -> list[dict[str, Any]]:
    return objects(dig(payload, "data", "updates"))


def _fields(lead: dict[str, Any]) -> Iterator[Field]:
    for path, slot in (
        ("user.display_name", "name"), ("temporary_phone_number", "phone"), ("phone_number", "phone"),
        ("temporary_email_address", "email"), ("project.location.postal_code", "zip"), ("project.additional_info", "message"),
    ):  # fmt: skip
        yield Field(f"fetched.{path}", path, dig(lead, *path.split(".")), slot)
    yield Field(
        "fetched.project.job_names",
        "Service",
        [text(name) for name in items(dig(lead, "project", "job_names"))],
        "service",
    )
    for place, row in enumerate(objects(dig(lead, "project", "survey_answers"))):
        yield Field(f"fetched.project.survey_answers.{place}", text(row.get("question_text")), row.get("answer_text"))
