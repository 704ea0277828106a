"""Salesforce outbound messages: SOAP batches of up to 100, acknowledged by an exact body; the session id is never kept."""

import hmac
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

from bridge.connectors.base import (
    About,
    Identity,
    Normalized,
    PayloadMalformed,
    Reply,
    Secret,
    SignatureInvalid,
    Skipped,
    SourceOptions,
    Strength,
    Verified,
)
from bridge.connectors.dialect import SHARED, UNSIGNED, Dialect, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import XML_TYPES, local_name, parse_xml, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import Inquiry
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

_ACK = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
    b'<soapenv:Body><notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)
_SLOTS = {
    "Name": "name", "FirstName": "given_name", "LastName": "surname", "Phone": "phone", "MobilePhone": "phone", "HomePhone": "phone",
    "Email": "email", "PersonEmail": "email", "Company": "company", "Street": "street", "City": "city", "State": "state",
    "PostalCode": "zip", "Country": "country", "MailingStreet": "street", "MailingCity": "city", "MailingState": "state",
    "MailingPostalCode": "zip", "MailingCountry": "country", "BillingStreet": "street", "BillingCity": "city", "BillingState": "state",
    "BillingPostalCode": "zip", "BillingCountry": "country", "Description": "message",
}  # fmt: skip
_SESSION = re.compile(rb"(<(?:\w+:)?SessionId[^>]*>)[^<]*")
_SYSTEM = frozenset({"Id", "CreatedById", "LastModifiedById", "OwnerId", "SystemModstamp", "IsDeleted", "PhotoUrl"})


class Salesforce(Dialect):
    """Leads, contacts and accounts of Salesforce, by outbound message."""

    options_known = frozenset({"lead", "objects"})
    kind = "salesforce"
    about = About(
        title="Salesforce outbound messages", family="crm",
        signature="none; the OrganizationId (first 15 letters), and by choice a token in the URL",
        dedup="Notification/Id of every record", retries="for 24 h until the Ack comes", answer="200 text/xml with Ack=true",
        setup=(
            "Setup › Workflow Actions › Outbound Messages › New: object, endpoint URL = hook URL with `?token=<token>`, fields.",
            "Use it in a flow or workflow rule on create and edit.",
        ),
        paste="the OrganizationId (Setup › Company Information), and as a second secret the token",
        notes=(
            "A Lead is a wish for service unless `options.lead: contact`; its record id keeps later edits from booking twice.",
            "SessionId is cut out before anything is stored: it is a live credential.",
        ),
        guessed=("Up to 100 records per message; 60 s timeout.",),
    )  # fmt: skip
    content_types = XML_TYPES
    shared = SHARED
    handled = frozenset({"Lead", "Contact", "Account"})
    ignored = frozenset({"Task", "Event", "User"})

    def verify(
        self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions, now: datetime
    ) -> Verified:
        """Prove that the message names our organization, and the caller the token where one is set."""
        try:
            stated = _child_text(_notifications(request.body), "OrganizationId")
        except PayloadMalformed as error:
            raise SignatureInvalid(Reason.SIGNATURE_MALFORMED, "no outbound message") from error
        if len(stated) not in (15, 18) or not stated.isalnum():
            raise SignatureInvalid(Reason.SIGNATURE_MISSING, "no OrganizationId")
        if options.unsigned and not secrets:
            return UNSIGNED
        known = [secret for secret in secrets if len(secret.value) in (15, 18) and secret.value.isalnum()]
        tokens = tuple(secret for secret in secrets if secret not in known)
        hits = [
            secret.name for secret in known if hmac.compare_digest(secret.value[:15].encode(), stated[:15].encode())
        ]
        if known and not hits:
            raise SignatureInvalid(Reason.CREDENTIALS_WRONG, "another OrganizationId")
        if tokens or not known:
            return super().verify(request, secrets=tokens, options=options, now=now)
        return Verified(scheme="organization-id", secret_name=hits[0], strength=Strength.AUTHENTICATED)

    def read(self, request: HookRequest) -> list[dict[str, Any]]:
        """Return the records of the message, each with its own notification's id."""
        records = []
        for element in _notifications(request.body):
            if local_name(element) != "Notification":
                continue
            for record in element:
                if local_name(record) == "sObject":
                    kind = next((value for name, value in record.attrib.items() if name.endswith("type")), "")
                    fields = {field.tag.rpartition("}")[2]: (field.text or "").strip() for field in record}
                    name = re.sub(r"(?<!_)\d+$", "", kind.rpartition(":")[2])
                    records.append({"notification": _child_text(element, "Id"), "type": name, "fields": fields})
        return records

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the object's name; a message holds one kind."""
        del request
        return text(payload[0]["type"]) if payload else "empty"

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the ids of the notifications, which a retry repeats."""
        del request
        idents = [text(record["notification"]) for record in payload]
        return "|".join(idents) if 0 < len(idents) <= 8 and all(idents) else ""

    def reply(self, identity: Identity, *, redelivered: bool, options: SourceOptions) -> Reply:
        """Return the Ack: any other body counts as failure."""
        del identity, redelivered, options
        return Reply(body=_ACK, media_type="text/xml; charset=utf-8")

    def prove(self, request: HookRequest, *, secret: Secret, options: SourceOptions, now: datetime) -> HookRequest:
        """Return a sample that names the organization of the secret."""
        del options, now
        body = re.sub(rb"(<OrganizationId>)[^<]*", rb"\g<1>" + secret.value.encode(), request.body)
        return HookRequest(method=request.method, url=request.url, headers=request.headers, body=body)

    def scrub(self, request: HookRequest) -> HookRequest:
        """Return the request without the session id."""
        body = _SESSION.sub(rb"\1", request.body)
        return HookRequest(method=request.method, url=request.url, headers=request.headers, body=body)

    def normalize(self, delivery: Delivery, *, options: SourceOptions) -> Normalized:
        """Return a wish or an update per record; `options.objects` says what custom objects ask for."""
        inquiries: list[Inquiry] = []
        rest: list[Skipped] = []
        asked = options.options.get("objects")
        asks = {"Lead": text(options.options.get("lead")) or "booking", "Contact": "contact", "Account": "contact"}
        asks |= {str(name): str(ask) for name, ask in asked.items()} if isinstance(asked, dict) else {}
        for record in self.read(delivery.request):
            found = self._record(record, asks.get(record["type"], ""), delivery, options)
            inquiries += found.inquiries
            rest += found.skipped
        if not inquiries and not rest:
            rest.append(Skipped(event_type="empty", reason=Reason.EVENT_IGNORED))
        return Normalized(inquiries=tuple(inquiries), skipped=tuple(rest))

    def _record(self, record: dict[str, Any], ask: str, delivery: Delivery, options: SourceOptions) -> Normalized:
        kind, fields, notification = record["type"], record["fields"], text(record["notification"])
        if not ask:
            return Normalized(skipped=(Skipped(event_type=kind, reason=self.standing(kind), key=notification),))
        ident = text(fields.get("Id")) or notification
        draft = self.draft(list(_fields(fields, ask)), fields, delivery, options)
        changed = text(fields.get("LastModifiedDate")) or text(fields.get("SystemModstamp"))
        at = moment(changed or fields.get("CreatedDate"))
        if ask == "booking":
            return wish(draft, kind, key=f"{kind}/{ident}", record_id=ident, occurred_at=at)
        if kind == "Account" and not draft.values.get("company"):
            draft.put("company", fields.get("Name"), "sObject.Name")
        update = draft.contact_update(
            key=f"{kind}/{ident}|{notification}", record_id=ident, version=changed or notification, occurred_at=at,
            is_deleted=fields.get("IsDeleted") == "true",
            fields={name: value for name, value in fields.items() if name not in _SLOTS and name not in _SYSTEM},
        )  # fmt: skip
        return Normalized(inquiries=(update,))


def _notifications(body: bytes) -> Element:
    root = parse_xml(body)
    found = next((element for element in root.iter() if local_name(element) == "notifications"), None)
    if found is None:
        raise PayloadMalformed("no notifications in the envelope")
    return found


def _child_text(element: Element, name: str) -> str:
    return next(((child.text or "").strip() for child in element if local_name(child) == name), "")


def _fields(fields: dict[str, str], ask: str) -> Iterator[Field]:
    has_parts = "FirstName" in fields or "LastName" in fields
    for name, value in fields.items():
        slot = _SLOTS.get(name, "")
        if name == "Name" and has_parts:
            continue
        if slot or (ask == "booking" and name not in _SYSTEM and not name.endswith("Date")):
            yield Field(f"sObject.{name}", name.removesuffix("__c").replace("_", " "), value, slot)
