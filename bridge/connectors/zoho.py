"""Zoho CRM: channel notifications (thin, a token in the body) and workflow webhooks whose parameters the author chose."""

import hashlib
import re
from typing import Any
from urllib.parse import quote, urlsplit

from bridge.connectors.base import About, Fetch, Normalized, PayloadMalformed, Skipped, SourceOptions
from bridge.connectors.dialect import SHARED, Dialect, fetched_json, wish
from bridge.connectors.extract import Field, fields_of
from bridge.connectors.extract.labels import normal_label
from bridge.connectors.payloads import ANY_FORM, JSON_TYPES, items, objects, read_object, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import Inquiry
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

_SLOTS = {
    "Full_Name": "name", "First_Name": "given_name", "Last_Name": "surname", "Email": "email", "Phone": "phone", "Mobile": "phone",
    "Company": "company", "Street": "street", "City": "city", "State": "state", "Zip_Code": "zip", "Country": "country",
    "Mailing_Street": "street", "Mailing_City": "city", "Mailing_State": "state", "Mailing_Zip": "zip", "Description": "message",
    "Lead_Source": "campaign",
}  # fmt: skip
_WORKFLOW = "workflow"
_RECORD_IDS = ("lead id", "contact id", "record id", "id")


class ZohoCrm(Dialect):
    """Leads and contacts of Zoho CRM."""

    options_known = frozenset({"ask"})
    kind = "zoho-crm"
    about = About(
        title="Zoho CRM", family="crm", signature="none; the token of the channel in the body, or a header of the workflow rule",
        dedup="channel_id, ids, operation and server_time", retries="unknown",
        hydration="GET www.zohoapis.com/crm/v7/{module}/{id} with an OAuth token",
        setup=(
            "POST /crm/v7/actions/watch: notify_url = hook URL, events Leads.all and Contacts.all, token = your token; renew it weekly.",
            "Or Settings › Workflow Rules › Webhooks: POST, hook URL, header `X-Webhook-Token`, parameters by name.",
        ),
        paste="the token", notes=("`options.ask: booking` makes wishes of new leads and workflow webhooks.",),
        guessed=("The body of a notification; the longest life of a channel.",),
    )  # fmt: skip
    content_types = JSON_TYPES | ANY_FORM
    shared = SHARED
    handled = frozenset(
        f"{module}.{what}" for module in ("Leads", "Contacts") for what in ("insert", "update", "delete")
    ) | {_WORKFLOW}
    ignored = frozenset(
        f"{module}.{what}"
        for module in ("Accounts", "Deals", "Tasks", "Events", "Calls", "Notes", "Campaigns")
        for what in ("insert", "update", "delete")
    )
    hosts = frozenset(
        {
            "www.zohoapis.com",
            "www.zohoapis.eu",
            "www.zohoapis.in",
            "www.zohoapis.com.au",
            "www.zohoapis.ca",
            "www.zohoapis.jp",
        }
    )

    def body_tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the channel's token."""
        try:
            return (text(read_object(request).get("token")),)
        except PayloadMalformed:
            return ()

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return module.operation, or `workflow`."""
        del request
        module = text(payload.get("module"))
        return f"{module}.{text(payload.get('operation')).lower()}" if module else _WORKFLOW

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return what names the notification; a workflow's webhook has nothing but its body."""
        del request
        if not payload.get("module"):
            return ""
        idents = ",".join(sorted(text(ident) for ident in items(payload.get("ids"))))
        if len(idents) > 120:
            idents = hashlib.sha256(idents.encode()).hexdigest()[:32]
        return "|".join(
            (text(payload.get("channel_id")), idents, text(payload.get("operation")), text(payload.get("server_time")))
        )

    def fetches(self, delivery: Delivery, *, options: SourceOptions) -> tuple[Fetch, ...]:
        """Describe one read per record, at the data centre the notification names."""
        payload = self.read(delivery.request)
        if (
            options.hydrate is None
            or self.standing(delivery.event_type) is not Reason.PROCESSED
            or delivery.event_type.endswith(".delete")
        ):
            return ()
        module = text(payload.get("module"))
        host = urlsplit(text(payload.get("resource_uri"))).hostname or ""
        host = host if host in self.hosts else "www.zohoapis.com"
        if not re.fullmatch(r"[A-Za-z_]{1,40}", module):
            return ()
        return tuple(
            Fetch(
                name=f"record/{ident}", url=f"https://{host}/crm/v7/{module}/{quote(ident, safe='')}", auth=options.hydrate.auth,
                auth_style="scheme:Zoho-oauthtoken", expect=(200, 204, 404),
            )
            for ident in filter(None, map(text, items(payload.get("ids"))[:100]))
        )  # fmt: skip

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return an update per record; without a fetch, of the values the notification itself gives."""
        if delivery.event_type == _WORKFLOW:
            return self._workflow(payload, delivery, options)
        module, _, what = delivery.event_type.partition(".")
        told = {text(row.get("record_id")): row.get("values") for row in objects(payload.get("affected_values"))}
        changed = {
            ident: items(names) for row in objects(payload.get("affected_fields")) for ident, names in row.items()
        }
        inquiries: list[Inquiry] = []
        rest: list[Skipped] = []
        version = text(payload.get("server_time")) or delivery.dedup_key
        for ident in filter(None, map(text, items(payload.get("ids"))[:100])):
            record = _record(delivery, ident) or told.get(ident)
            if not isinstance(record, dict) and what != "delete":
                rest.append(Skipped(event_type=delivery.event_type, reason=Reason.HYDRATION_MISSING, key=ident))
                continue
            values = record if isinstance(record, dict) else {}
            fields = [
                Field(f"record.{name}", name, values[name], slot) for name, slot in _SLOTS.items() if values.get(name)
            ]
            draft = self.draft(fields, payload, delivery, options)
            key, at = f"{module}/{ident}|{what}|{version}", moment(payload.get("server_time"))
            if what == "insert" and options.options.get("ask") == "booking":
                found = wish(draft, delivery.event_type, key=f"{module}/{ident}", record_id=ident, occurred_at=at)
                inquiries += found.inquiries
                rest += found.skipped
                continue
            others = {
                name: value
                for name, value in values.items()
                if name not in _SLOTS and isinstance(value, str | int | float | bool)
            }
            inquiries.append(
                draft.contact_update(
                    key=key, record_id=ident, version=version, occurred_at=at, fields=others, changed=map(text, changed.get(ident, ())),
                    is_new=what == "insert", is_deleted=what == "delete",
                )
            )  # fmt: skip
        return Normalized(inquiries=tuple(inquiries), skipped=tuple(rest))

    def _workflow(self, payload: dict[str, Any], delivery: Delivery, options: SourceOptions) -> Normalized:
        idents = {normal_label(name): name for name in payload if normal_label(name) in _RECORD_IDS}
        record = next((text(payload[idents[name]]) for name in _RECORD_IDS if name in idents), "")
        slots = {
            **_SLOTS,
            **dict.fromkeys((*idents.values(), "token"), "meta"),
            "source": "campaign",
        }
        draft = self.draft(fields_of(payload, slots=slots), payload, delivery, options)
        if options.options.get("ask") == "booking":
            return wish(draft, _WORKFLOW, key=record or delivery.dedup_key, record_id=record)
        answers = {answer.label: answer.value for answer in draft.answers}
        key = delivery.dedup_key
        return Normalized(inquiries=(draft.contact_update(key=key, record_id=record, version=key, fields=answers),))


def _record(delivery: Delivery, ident: str) -> dict[str, Any] | None:
    answer = fetched_json(delivery, f"record/{ident}")
    if not answer or answer[0] != 200 or not isinstance(answer[1], dict):
        return None
    rows = objects(answer[1].get("data"))
    return rows[0] if rows else None
