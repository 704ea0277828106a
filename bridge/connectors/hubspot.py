"""HubSpot: batches of thin notices from apps, and whole records from the workflow action."""

import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from bridge.connectors import schemes
from bridge.connectors.base import About, Fetch, Normalized, Skipped, SourceOptions
from bridge.connectors.dialect import SHARED, Dialect, fetched_json, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import dig, objects, read, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ActivityKind, Inquiry
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

_API = "https://api.hubapi.com/crm/v3/objects/contacts"
_SLOTS = {
    "firstname": "given_name", "lastname": "surname", "email": "email", "phone": "phone", "mobilephone": "phone", "company": "company",
    "address": "street", "address2": "unit", "city": "city", "state": "state", "zip": "zip", "country": "country",
    "hs_analytics_source": "meta", "message": "message",
}  # fmt: skip
_TYPES = {"0-1": "contact", "0-2": "company", "0-3": "deal"}
_BATCH = "contacts"


class HubSpot(Dialect):
    """Contacts of HubSpot."""

    options_known = frozenset({"ask", "properties"})
    kind = "hubspot"
    about = About(
        title="HubSpot", family="crm",
        signature="X-HubSpot-Signature-v3: base64 HMAC-SHA256 of method, URL, body, time, 300 s both ways; else v2, v1 (plain hashes)",
        dedup="portalId, subscriptionId, eventId, occurredAt of every notice", retries="about 10 over 24 h; 5 s timeout",
        hydration="GET api.hubapi.com/crm/v3/objects/contacts/{id}; several by one batch read",
        setup=(
            "Developer account › App › Webhooks: target URL = hook URL; subscribe contact.creation, .propertyChange, .deletion.",
            "Or a workflow: action Send a webhook, POST, hook URL, authentication by request signature.",
            "Private app with crm.objects.contacts.read: its token hydrates.",
        ),
        paste="the app's client secret",
        notes=(
            "Where v3 is present it decides: a right v1 beside a wrong v3 is refused.",
            "`options.properties` adds property names to be fetched; `options.ask: booking` makes wishes of new contacts and workflows.",
        ),
        guessed=("Batch size, timeout and retries.",),
    )  # fmt: skip
    schemes = schemes.HUBSPOT
    shared = SHARED
    handled = frozenset(
        {"contact.creation", "contact.propertyChange", "contact.deletion", "contact.privacyDeletion", "contact.restore"}
        | {"workflow.contact", "workflow.deal", "workflow.company", "batch"}
    )
    ignored = frozenset(
        f"{entity}.{what}"
        for entity in ("company", "deal", "ticket", "product", "line_item", "conversation", "object")
        for what in ("creation", "propertyChange", "deletion", "restore", "merge", "associationChange")
    ) | {"contact.merge", "contact.associationChange", "conversation.newMessage", "conversation.privacyDeletion"}
    hosts = frozenset({"api.hubapi.com"})

    def read(self, request: HookRequest) -> Any:
        """Return a list of notices, or the record of a workflow."""
        return read(request)

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the one kind of the notices, `batch` for several, `workflow.<object>` for a whole record."""
        del request
        if isinstance(payload, dict) and "subscriptionType" not in payload:
            kind = _TYPES.get(text(payload.get("objectTypeId")), text(payload.get("objectType")).lower())
            return f"workflow.{kind or ('contact' if 'vid' in payload else 'unknown')}"
        kinds = {_kind(notice) for notice in objects(payload)}
        return min(kinds) if len(kinds) == 1 else "batch" if kinds else "unknown"

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return what names the notices: attemptNumber changes on a retry, so the body's hash would not do."""
        if isinstance(payload, dict) and "subscriptionType" not in payload:
            return text(request.header("x-hubspot-correlation-id"))
        keys = [_key(notice) for notice in objects(payload)]
        if len(keys) == 1:
            return keys[0]
        return "batch:" + hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest() if keys else ""

    def fetches(self, delivery: Delivery, *, options: SourceOptions) -> tuple[Fetch, ...]:
        """Describe one read per contact, or a batch read of up to a hundred."""
        payload = self.read(delivery.request)
        if options.hydrate is None or delivery.event_type.startswith("workflow."):
            return ()
        idents = list(
            dict.fromkeys(text(notice.get("objectId")) for notice in objects(payload) if _wants_record(notice))
        )
        extra = options.options.get("properties")
        names = [*_SLOTS, "createdate", "lastmodifieddate", *(map(str, extra) if isinstance(extra, list) else ())]
        auth = options.hydrate.auth
        if len(idents) <= 2:
            asked = quote(",".join(names), safe=",")
            return tuple(
                Fetch(name=f"contact/{ident}", url=f"{_API}/{quote(ident, safe='')}?properties={asked}", auth=auth)
                for ident in idents
            )
        return tuple(
            Fetch(
                name=f"{_BATCH}/{place // 100}", url=f"{_API}/batch/read", auth=auth, method="POST", expect=(200, 207),
                headers=(("content-type", "application/json"),),
                body=msgspec.json.encode({"properties": names, "inputs": [{"id": ident} for ident in idents[place : place + 100]]}),
            )
            for place in range(0, len(idents), 100)
        )  # fmt: skip

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return one update per contact of the batch, whatever number of notices tell of it."""
        if delivery.event_type.startswith("workflow."):
            return self._workflow(payload, delivery, options)
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        rest: list[Skipped] = []
        for notice in objects(payload):
            kind = _kind(notice)
            if self.standing(kind) is not Reason.PROCESSED or kind == "batch":
                rest.append(Skipped(event_type=kind, reason=self.standing(kind), key=_key(notice)))
                continue
            groups.setdefault((text(notice.get("portalId")), text(notice.get("objectId"))), []).append(notice)
        inquiries: list[Inquiry] = []
        for (portal, ident), notices in groups.items():
            found = self._contact(portal, ident, notices, delivery, options)
            inquiries += found.inquiries
            rest += found.skipped
        return Normalized(inquiries=tuple(inquiries), skipped=tuple(rest))

    def _contact(
        self, portal: str, ident: str, notices: list[dict[str, Any]], delivery: Delivery, options: SourceOptions
    ) -> Normalized:
        told = {
            text(notice.get("propertyName")): text(notice.get("propertyValue"))
            for notice in notices
            if notice.get("propertyName")
        }
        kinds = {_kind(notice) for notice in notices}
        status, record = _fetched(delivery, ident)
        is_deleted = bool(kinds & {"contact.deletion", "contact.privacyDeletion"})
        if record is None and not told and not is_deleted:
            reason = Reason.HYDRATION_MISSING if status is None else Reason.HYDRATION_REFUSED
            return Normalized(skipped=(Skipped(event_type=min(kinds), reason=reason, key=ident),))
        values = {**{name: text(value) for name, value in (record or {}).items()}, **({} if record else told)}
        origin = "fetched.properties" if record else "propertyValue"
        draft = self.draft(list(_fields(values, origin)), record or told, delivery, options)
        version = max(text(notice.get("occurredAt")) for notice in notices)
        at, key = moment(version), f"contact/{portal}/{ident}|{version}"
        is_new = "contact.creation" in kinds
        if is_new and options.options.get("ask") == "booking":
            return wish(draft, "contact.creation", key=f"contact/{portal}/{ident}", record_id=ident, occurred_at=at)
        update = draft.contact_update(
            key=key, record_id=ident, version=version, occurred_at=at, is_new=is_new, is_deleted=is_deleted,
            changed=[] if is_new else list(told), fields={name: value for name, value in values.items() if name not in _SLOTS},
        )  # fmt: skip
        return Normalized(inquiries=(update,))

    def _workflow(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        properties = dig(payload, "properties")
        values = (
            {name: text(dig(row, "value")) for name, row in properties.items()} if isinstance(properties, dict) else {}
        )
        ident = text(dig(payload, "vid")) or text(dig(payload, "objectId"))
        draft = self.draft(list(_fields(values, "properties")), payload, delivery, options)
        version = values.get("lastmodifieddate") or values.get("hs_lastmodifieddate") or delivery.dedup_key
        kind = delivery.event_type.removeprefix("workflow.")
        at, key = moment(version), f"{kind}/{ident}|{version}"
        if kind == "deal":
            said = " · ".join(filter(None, (values.get("dealname"), values.get("dealstage"), values.get("amount"))))
            record = f"deal-{ident}"
            return Normalized(
                inquiries=(
                    draft.activity(
                        ActivityKind.OPPORTUNITY, key=key, record_id=record, occurred_at=at, said=f"Deal: {said}"
                    ),
                )
            )
        if kind == "company":
            draft.put("company", values.get("name"), "properties.name")
        if options.options.get("ask") == "booking" and kind == "contact":
            return wish(draft, delivery.event_type, key=key, record_id=ident, occurred_at=at)
        fields = {name: value for name, value in values.items() if name not in _SLOTS and not name.startswith("hs_")}
        record = ident if kind == "contact" else f"{kind}-{ident}"
        return Normalized(
            inquiries=(draft.contact_update(key=key, record_id=record, version=version, occurred_at=at, fields=fields),)
        )


def _kind(notice: dict[str, Any]) -> str:
    """Return the subscription type; the newer `object.*` names its object by type id."""
    kind = text(notice.get("subscriptionType"))
    entity, _, what = kind.partition(".")
    return f"{_TYPES.get(text(notice.get('objectTypeId')), entity)}.{what}" if entity == "object" else kind


def _key(notice: dict[str, Any]) -> str:
    return "|".join(text(notice.get(name)) for name in ("portalId", "subscriptionId", "eventId", "occurredAt"))


def _wants_record(notice: dict[str, Any]) -> bool:
    return _kind(notice) in ("contact.creation", "contact.propertyChange", "contact.restore") and bool(
        text(notice.get("objectId"))
    )


def _fetched(delivery: Delivery, ident: str) -> tuple[int | None, dict[str, Any] | None]:
    """Return the status and properties of a fetched contact, from its own read or from a batch."""
    answer = fetched_json(delivery, f"contact/{ident}")
    if answer is not None:
        properties = dig(answer[1], "properties")
        return answer[0], properties if answer[0] == 200 and isinstance(properties, dict) else None
    status: int | None = None
    for found in delivery.fetched:
        if found.name.startswith(f"{_BATCH}/"):
            status, data = found.status, (fetched_json(delivery, found.name) or (0, None))[1]
            for row in objects(dig(data, "results")):
                if text(row.get("id")) == ident and isinstance(row.get("properties"), dict):
                    return 200, row["properties"]
    return status, None


def _fields(values: dict[str, str], origin: str) -> Iterator[Field]:
    for name, slot in _SLOTS.items():
        if values.get(name):
            yield Field(f"{origin}.{name}", name, values[name], slot)
