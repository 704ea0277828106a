"""HighLevel: app webhooks signed with the publisher's keys, and the workflow action that most contractors use."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from bridge.connectors import schemes
from bridge.connectors.base import About, Fetch, Normalized, Secret, SignatureInvalid, SourceOptions, Verified
from bridge.connectors.dialect import SHARED, UNSIGNED, Dialect, body_hash, fetched_json, wish
from bridge.connectors.extract import Draft, Field, fields_of
from bridge.connectors.payloads import dig, objects, text
from bridge.connectors.signatures import verify as verify_rows
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ActivityKind, BookingChange, ChangeKind, Channel, Inquiry, PreferenceChange
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

PUBLISHED_KEYS = (
    Secret(
        "published-ed25519",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=\n-----END PUBLIC KEY-----\n",
    ),
    Secret(
        "published-rsa",
        "-----BEGIN PUBLIC KEY-----\n"
        "MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAokvo/r9tVgcfZ5DysOSC\n"
        "Frm602qYV0MaAiNnX9O8KxMbiyRKWeL9JpCpVpt4XHIcBOK4u3cLSqJGOLaPuXw6\n"
        "dO0t6Q/ZVdAV5Phz+ZtzPL16iCGeK9po6D6JHBpbi989mmzMryUnQJezlYJ3DVfB\n"
        "csedpinheNnyYeFXolrJvcsjDtfAeRx5ByHQmTnSdFUzuAnC9/GepgLT9SM4nCpv\n"
        "uxmZMxrJt5Rw+VUaQ9B8JSvbMPpez4peKaJPZHBbU3OdeCVx5klVXXZQGNHOs8gF\n"
        "3kvoV5rTnXV0IknLBXlcKKAQLZcY/Q9rG6Ifi9c+5vqlvHPCUJFT5XUGG5RKgOKU\n"
        "J062fRtN+rLYZUV+BjafxQauvC8wSWeYja63VSUruvmNj8xkx2zE/Juc+yjLjTXp\n"
        "IocmaiFeAO6fUtNjDeFVkhf5LNb59vECyrHD2SQIrhgXpO4Q3dVNA5rw576PwTzN\n"
        "h/AMfHKIjE4xQA1SZuYJmNnmVZLIZBlQAF9Ntd03rfadZ+yDiOXCCs9FkHibELhC\n"
        "HULgCsnuDJHcrGNd5/Ddm5hxGQ0ASitgHeMZ0kcIOwKDOzOU53lDza6/Y09T7sYJ\n"
        "PQe7z0cvj7aE4B+Ax1ZoZGPzpJlZtGXCsu9aTEGEnKzmsFqwcSsnw3JB31IGKAyk\n"
        "T1hhTiaCeIY/OwwwNUY2yvcCAwEAAQ==\n"
        "-----END PUBLIC KEY-----\n",
    ),
)
"""The keys HighLevel publishes for all apps: they prove that HighLevel sent it, not for which account."""

_CONTACT = frozenset({"ContactCreate", "ContactUpdate", "ContactDelete", "ContactDndUpdate", "ContactTagUpdate"})
_APPOINTMENT = frozenset({"AppointmentCreate", "AppointmentUpdate", "AppointmentDelete"})
_OPPORTUNITY = frozenset(
    {"OpportunityCreate", "OpportunityUpdate", "OpportunityStatusUpdate", "OpportunityStageUpdate", "OpportunityDelete"}
)
_SLOTS = {
    "name": "name", "full_name": "name", "firstName": "given_name", "first_name": "given_name", "lastName": "surname",
    "last_name": "surname", "email": "email", "phone": "phone", "companyName": "company", "company_name": "company",
    "address1": "street", "city": "city", "state": "state", "postalCode": "zip", "postal_code": "zip", "country": "country",
    "source": "campaign", "contact_source": "campaign",
}  # fmt: skip
_CHANNELS = {"SMS": Channel.SMS, "Email": Channel.EMAIL, "Call": Channel.PHONE, "WhatsApp": Channel.SMS}
_WORKFLOW = "workflow"


class HighLevel(Dialect):
    """Contacts, appointments, messages and workflows of HighLevel."""

    options_known = frozenset({"ask", "location_ids"})
    kind = "gohighlevel"
    about = About(
        title="HighLevel", family="crm",
        signature="app: X-GHL-Signature Ed25519, else X-WH-Signature RSA-SHA256, over the body; workflow: a shared value",
        dedup="webhookId; a workflow's body hash for 10 minutes", retries="only on 429: 6, 10 minutes apart",
        hydration="with a `hydrate:` token: the contact of an appointment or message",
        setup=(
            "App: Marketplace › your app › Webhooks: hook URL; events ContactCreate, ContactUpdate, AppointmentCreate, InboundMessage.",
            "Workflow: action Webhook, POST, hook URL; add the header `X-Webhook-Token: <token>`.",
        ),
        paste="workflow: the token you chose; app: nothing, the keys are published and come with the connector",
        notes=(
            "An app needs `options.location_ids`: the published keys sign for every HighLevel account, so only named ones are believed.",
            "X-GHL-Signature decides where present; the literal N/A is refused.",
            "`options.ask: contact` makes contact updates instead of wishes of workflows.",
        ),
        guessed=("Headers of workflow webhooks; the retry spacing.",),
    )  # fmt: skip
    schemes = schemes.HIGHLEVEL
    shared = SHARED
    needs_secret = False
    dedup_window_seconds = 600
    handled = _CONTACT | _APPOINTMENT | _OPPORTUNITY | {"InboundMessage", "NoteCreate", _WORKFLOW}
    ignored = frozenset(
        {
            "OutboundMessage",
            "ConversationUnreadUpdate",
            "ConversationUnreadWebhook",
            "TaskCreate",
            "TaskComplete",
            "TaskDelete",
            "NoteUpdate",
        }
        | {
            "NoteDelete",
            "LocationCreate",
            "LocationUpdate",
            "UserCreate",
            "UserUpdate",
            "INSTALL",
            "UNINSTALL",
            "PlanChange",
            "InvoiceCreate",
        }
        | {
            "OpportunityMonetaryValueUpdate",
            "OpportunityAssignedToUpdate",
            "CampaignStatusUpdate",
            "OrderCreate",
            "OrderStatusUpdate",
        }
    )
    hosts = frozenset({"services.leadconnectorhq.com"})

    def verify(
        self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions, now: datetime
    ) -> Verified:
        """Prove an app's webhook by the published keys (or the source's own), a workflow's by the shared value."""
        if any(request.header(row.header) is not None for row in self.schemes) and not (
            options.unsigned and not secrets
        ):
            own = tuple(secret for secret in secrets if "PUBLIC KEY" in secret.value)
            verified = verify_rows(request, self.schemes, secrets=own or PUBLISHED_KEYS, now=now)
            allowed = options.options.get("location_ids", None if own else [])
            if isinstance(allowed, list) and text(self.read(request).get("locationId")) not in map(str, allowed):
                raise SignatureInvalid(Reason.CREDENTIALS_WRONG, "signed by HighLevel for another location")
            return verified
        if options.unsigned and not secrets:
            return UNSIGNED
        tokens = tuple(secret for secret in secrets if "PUBLIC KEY" not in secret.value)
        if not tokens:
            raise SignatureInvalid(Reason.SIGNATURE_MISSING, "no signature header")
        return super().verify(request, secrets=tokens, options=options, now=now)

    def faults(self, *, secrets: tuple[Secret, ...], options: SourceOptions) -> tuple[str, ...]:
        """Return what is wrong: without a secret only an app's webhooks can be believed, and those of named locations."""
        found = super().faults(secrets=secrets, options=options)
        if secrets or options.unsigned or options.options.get("location_ids"):
            return found
        return (
            *found,
            "options.location_ids: name the locations of the app, or give `secrets:` for a workflow's webhook",
        )

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the type; a workflow's webhook has none."""
        del request
        kind = text(payload.get("type"))
        is_workflow = (
            "workflow" in payload or ("contact_id" in payload and not kind) or not ("locationId" in payload or kind)
        )
        return _WORKFLOW if is_workflow else kind or "unknown"

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the webhook's id; deliveries before it was added are named by what they tell of."""
        if ident := text(payload.get("webhookId")):
            return ident
        event = self.event_of(payload, request)
        return "" if event == _WORKFLOW else f"{event}|{body_hash(request)}"

    def fetches(self, delivery: Delivery, *, options: SourceOptions) -> tuple[Fetch, ...]:
        """Describe the contact that an appointment or message only names."""
        payload = self.read(delivery.request)
        ident = _contact_id(payload)
        if options.hydrate is None or not ident or delivery.event_type in _CONTACT | {_WORKFLOW}:
            return ()
        if self.standing(delivery.event_type) is not Reason.PROCESSED:
            return ()
        url = f"https://services.leadconnectorhq.com/contacts/{quote(ident, safe='')}"
        return (Fetch(name="contact", url=url, auth=options.hydrate.auth, headers=(("version", "2021-07-28"),)),)

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return what the kind of message asks for."""
        answer = fetched_json(delivery, "contact")
        contact = dig(answer[1], "contact") if answer and answer[0] == 200 else None
        person = {**payload, **contact} if isinstance(contact, dict) else payload
        event, at = delivery.event_type, moment(payload.get("dateAdded") or payload.get("timestamp"))
        if event == _WORKFLOW:
            return self._workflow(payload, delivery, options)
        named = event in _CONTACT or isinstance(contact, dict)
        draft = self.draft(list(_fields(person)) if named else [], payload, delivery, options)
        ident, key = text(payload.get("id")), delivery.dedup_key
        if event in _CONTACT:
            return Normalized(inquiries=tuple(_contact(draft, payload, event, key=key, at=at)))
        if event in _APPOINTMENT:
            return _appointment(draft, payload, delivery, options)
        if event == "InboundMessage":
            is_call = text(payload.get("messageType")).upper() == "CALL"
            seconds = text(payload.get("callDuration"))
            told = draft.activity(
                ActivityKind.CALL if is_call else ActivityKind.MESSAGE, key=text(payload.get("messageId")) or key,
                record_id=text(payload.get("contactId")), occurred_at=at,
                said=text(payload.get("body")) or f"{text(payload.get('messageType'))} {text(payload.get('status'))}".strip(),
                duration_seconds=int(seconds) if seconds.isdigit() else None,
                recording_url=next((text(url) for url in payload.get("attachments") or () if text(url).startswith("http")), ""),
            )  # fmt: skip
            return Normalized(inquiries=(told,))
        kind = ActivityKind.NOTE if event == "NoteCreate" else ActivityKind.OPPORTUNITY
        parts = (text(payload.get(name)) for name in ("name", "status", "monetaryValue"))
        said = text(payload.get("body")) if kind is ActivityKind.NOTE else f"{event}: {' · '.join(filter(None, parts))}"
        record = text(payload.get("contactId")) or ident
        return Normalized(inquiries=(draft.activity(kind, key=key, record_id=record, occurred_at=at, said=said),))

    def _workflow(self, payload: dict[str, Any], delivery: Delivery, options: SourceOptions) -> Normalized:
        slots = {
            **_SLOTS,
            **dict.fromkeys(
                ("location", "workflow", "user", "contact_id", "full_address", "triggerData", "tags"), "meta"
            ),
        }
        fields = [field for field in fields_of(payload, slots=slots) if "attribution" not in field.path.lower()]
        fields += _attribution(payload)
        draft = self.draft(fields, payload, delivery, options)
        draft.starts(dig(payload, "calendar", "startTime"), "calendar.startTime")
        record = text(payload.get("contact_id"))
        if options.options.get("ask") == "contact":
            tags = text(payload.get("tags")).split(",")
            custom = payload.get("customData")
            told = {answer.label: answer.value for answer in draft.answers}
            update = draft.contact_update(
                key=delivery.dedup_key, record_id=record, version=delivery.dedup_key, tags_added=tags,
                fields=told | (custom if isinstance(custom, dict) else {}),
            )  # fmt: skip
            return Normalized(inquiries=(update,))
        return wish(draft, _WORKFLOW, key=delivery.dedup_key, record_id=record, occurred_at=None)


def _contact(draft: Draft, payload: dict[str, Any], event: str, *, key: str, at: datetime | None) -> Iterator[Inquiry]:
    """Yield the contact's update, and an opt-out where do-not-disturb is set."""
    ident = text(payload.get("id")) or text(payload.get("contactId"))
    fields = {f"customField.{text(row.get('id'))}": row.get("value") for row in objects(payload.get("customFields"))}
    fields |= {name: payload[name] for name in ("website", "dateOfBirth", "assignedTo", "source") if payload.get(name)}
    tags = payload.get("tags")
    yield draft.contact_update(
        key=key, record_id=ident, version=text(payload.get("webhookId")) or key, occurred_at=at, is_new=event == "ContactCreate",
        is_deleted=event == "ContactDelete", fields=fields, tags_added=tags if isinstance(tags, list) else (),
    )  # fmt: skip
    settings = payload.get("dndSettings")
    channels = {
        channel: text(dig(settings, name, "status")) == "active"
        for name, channel in _CHANNELS.items()
        if text(dig(settings, name, "status")) in ("active", "inactive")
    }
    if payload.get("dnd") is True:
        channels = dict.fromkeys((Channel.SMS, Channel.EMAIL, Channel.PHONE), True)
    for channel, is_off in channels.items():
        if is_off or event == "ContactDndUpdate":
            yield PreferenceChange(
                key=f"{key}|{channel.value}", record_id=ident, person=draft.person(), occurred_at=at, origins=draft.origins,
                channel=channel, opted_in=not is_off, note="do not disturb" if is_off else "",
            )  # fmt: skip


def _appointment(draft: Draft, payload: dict[str, Any], delivery: Delivery, options: SourceOptions) -> Normalized:
    """Return a new appointment as a wish, a moved one as a reschedule, one that is off as a cancel."""
    inner = payload.get("appointment")
    inner = inner if isinstance(inner, dict) else payload
    ident = text(inner.get("id")) or delivery.dedup_key
    start, at = (
        moment(inner.get("startTime"), time_zone=options.time_zone),
        moment(inner.get("dateUpdated") or inner.get("dateAdded")),
    )
    status = text(inner.get("appointmentStatus")).lower()
    if delivery.event_type == "AppointmentCreate" and status not in ("cancelled", "canceled"):
        if not draft.values.get("service"):
            draft.put("service", inner.get("title"), "appointment.title")
        draft.starts(start, "appointment.startTime")
        return wish(draft, delivery.event_type, key=ident, record_id=ident, occurred_at=at, channel="scheduler")
    off = delivery.event_type == "AppointmentDelete" or status in ("cancelled", "canceled", "noshow", "invalid")
    if not off:
        draft.origins["new_start"] = "appointment.startTime"
    change = BookingChange(
        key=delivery.dedup_key, record_id=ident, person=draft.person(), occurred_at=at, origins=draft.origins, refers_to=ident,
        change=ChangeKind.CANCEL if off else ChangeKind.RESCHEDULE, new_start=None if off else start, note=text(inner.get("notes")),
    )  # fmt: skip
    return Normalized(inquiries=(change,))


def _contact_id(payload: dict[str, Any]) -> str:
    return text(payload.get("contactId")) or text(dig(payload, "appointment", "contactId"))


def _fields(person: dict[str, Any]) -> Iterator[Field]:
    for name, slot in _SLOTS.items():
        if person.get(name):
            yield Field(name, name, person[name], slot)
    yield from _attribution(person)


def _attribution(payload: dict[str, Any]) -> Iterator[Field]:
    found = (
        payload.get("attributionSource")
        or dig(payload, "contact", "attributionSource")
        or dig(payload, "contact", "lastAttributionSource")
    )
    slots = {
        "url": "landing_page",
        "referrer": "referrer",
        "utmCampaign": "utm_campaign",
        "campaign": "utm_campaign",
        "utmSource": "utm_source",
        "utmMedium": "utm_medium",
    }
    slots |= {
        "utmContent": "utm_content",
        "utmTerm": "utm_term",
        "gclid": "gclid",
        "fbclid": "fbclid",
        "campaignId": "campaign",
        "gaClientId": "ga_client_id",
    }
    for name, value in found.items() if isinstance(found, dict) else ():
        if slot := slots.get(name):
            yield Field(f"attributionSource.{name}", name, value, slot)
