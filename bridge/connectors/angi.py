"""Angi and HomeAdvisor leads: one flat post, proved by a key agreed at set-up; old accounts send the same as XML."""

from typing import Any

from bridge.connectors.base import About, Identity, Normalized, Reply, SourceOptions
from bridge.connectors.dialect import SHARED, Dialect, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import JSON_TYPES, XML_TYPES, dig, objects, read_object, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.values import moment

_SLOTS = {
    "name": "name", "firstName": "given_name", "lastName": "surname", "primaryPhone": "phone", "secondaryPhone": "phone",
    "email": "email", "address": "street", "city": "city", "stateProvince": "state", "postalCode": "zip", "taskName": "service",
    "comments": "message", "leadSource": "campaign",
}  # fmt: skip
_TOLD = {
    "phoneExt": "Phone extension", "secondaryPhoneExt": "Second phone extension", "matchType": "Match type",
    "leadDescription": "Lead kind", "fee": "Lead fee", "trustedFormUrl": "TrustedForm", "spCompanyName": "Sold to",
    "contactStatus": "Contact status",
}  # fmt: skip


class Angi(Dialect):
    """Leads of Angi, Angie's List and HomeAdvisor."""

    kind = "angi"
    about = About(
        title="Angi / HomeAdvisor", family="marketplace", signature="none; a static key in a header (usually x-api-key)",
        dedup="leadOid", retries="unknown", answer='200 {"status":"success"}',
        setup=("Ask Angi's partner support (or your account manager) for a lead webhook to the hook URL with an `x-api-key` header.",),
        paste="the key agreed at set-up",
        notes=("`automatedContactCompliant` (TCPA consent) goes into the consent of the inquiry.",), guessed=("Retries; the XML shape.",),
    )  # fmt: skip
    content_types = JSON_TYPES | XML_TYPES
    shared = SHARED
    handled = frozenset({"lead"})

    def read(self, request: HookRequest) -> dict[str, Any]:
        """Return the lead; an XML document's root is unwrapped."""
        data = read_object(request)
        if request.content_type in XML_TYPES and len(data) == 1:
            inner = next(iter(data.values()))
            return inner if isinstance(inner, dict) else data
        return data

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the one kind there is."""
        del payload, request
        return "lead"

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the lead's id; the same request sold twice has two."""
        del request
        return text(payload.get("leadOid"))

    def reply(self, identity: Identity, *, redelivered: bool, options: SourceOptions) -> Reply:
        """Return the success body integrators answer with."""
        del identity, redelivered, options
        return Reply(body=b'{"status":"success"}', media_type="application/json")

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return the lead as one wish, the interview as answers."""
        fields = [Field(name, name, payload.get(name), slot) for name, slot in _SLOTS.items()]
        fields += [
            Field(
                f"interview.{place}",
                text(row.get("question")),
                row.get("answer"),
                "meta" if not row.get("answer") else "",
            )
            for place, row in enumerate(objects(payload.get("interview")))
        ]
        draft = self.draft([field for field in fields if field.slot != "meta"], payload, delivery, options)
        if "automatedContactCompliant" in payload:
            consent = text(payload.get("automatedContactConsentId"))
            draft.put(
                "consent",
                f"{text(payload['automatedContactCompliant'])} {consent}".strip(),
                "automatedContactCompliant",
            )
        for name, label in _TOLD.items():
            draft.answer(label, payload.get(name), name)
        if dig(payload, "primaryPhoneDetails", "maskedNumber") is True:
            draft.answer("Phone", "the number is masked and expires", "primaryPhoneDetails.maskedNumber")
        for name in ("appointmentStart", "start"):
            if begins := dig(payload, "appointment", name):
                draft.starts(begins, f"appointment.{name}")
        key = text(payload.get("leadOid")) or delivery.dedup_key
        at = moment(payload.get("createdDateTime") or payload.get("leadDate"))
        return wish(
            draft,
            "lead",
            key=key,
            record_id=text(payload.get("srOid")) or key,
            occurred_at=at,
            channel="marketplace",
        )
