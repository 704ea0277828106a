"""ServiceTitan's own webhooks (V2, beta): bookings and leads that moved on. A repeat has a new id and the same userassignedid."""

from typing import Any

import msgspec

from bridge.connectors import schemes
from bridge.connectors.base import About, Identity, Normalized, Reply, SourceOptions
from bridge.connectors.dialect import Dialect
from bridge.connectors.payloads import dig, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ServiceTitanChange
from bridge.domain.values import moment

_ENTITIES = {
    "tn.crm.booking-updated": "booking", "tn.crm.lead-created": "lead", "tn.crm.lead-updated": "lead",
    "tn.jpm.job-scheduled": "job", "tn.jpm.job-updated": "job", "tn.jpm.job-rescheduled": "job", "tn.jpm.job-completed": "job",
    "tn.jpm.job-appointment-updated": "job", "tn.tlc.call-completed": "call", "tn.tlc.call-updated": "call",
}  # fmt: skip


class ServiceTitanEvents(Dialect):
    """What ServiceTitan tells of our bookings and its leads."""

    kind = "servicetitan"
    about = About(
        title="ServiceTitan webhooks", family="servicetitan", signature="x-servicetitan-signature: HMAC-SHA256 of the body, hex or base64",
        dedup="userassignedid", retries="after 10, 30, 60, 300 s", answer="200",
        setup=("Developer portal › your app › Webhooks: booking-updated, lead-created, lead-updated to the hook URL; generate a key.",),
        paste="the HMAC key", notes=("No webhook tells of customers, locations or new bookings: those are synced by export feeds.",),
        guessed=("The header's name and encoding: `options.verify` replaces them.",),
    )  # fmt: skip
    content_types = frozenset({"application/json", "application/cloudevents+json"})
    schemes = schemes.SERVICETITAN
    handled = frozenset(_ENTITIES)
    ignored = frozenset(
        {
            "tn.sp.session-completed",
            "tn.sp.session-abandoned-qualified",
            "tn.dis.technician-dispatched",
            "tn.dis.technician-arrived",
        }
        | {
            "tn.dis.zone-updated",
            "tn.dis.zone-deleted",
            "tn.stt.employee-changed",
            "tn.prl.pay-period-locked",
            "tn.prl.payroll-adjustment-created",
        }
        | {
            f"tn.acc.{name}"
            for name in (
                "invoice-updated",
                "invoice-posted",
                "invoice-batched",
                "invoice-exported",
                "task-created",
                "task-updated",
            )
        }
    )

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return `type`."""
        del request
        return text(payload.get("type"))

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return userassignedid, which a repeat keeps; the id of the envelope changes."""
        del request
        return text(payload.get("userassignedid")) or text(payload.get("id"))

    def reply(self, identity: Identity, *, redelivered: bool, options: SourceOptions) -> Reply:
        """Return 200, as its documentation advises."""
        del identity, redelivered, options
        return Reply(body=b"{}", media_type="application/json")

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return the record as sent: the mirror and our bookings take what concerns them."""
        del options
        entity = _ENTITIES[delivery.event_type]
        record = dig(payload, "data", entity)
        ident = text(dig(record, "id"))
        change = ServiceTitanChange(
            key=delivery.dedup_key, record_id=ident, occurred_at=moment(payload.get("time")), entity=entity, event=delivery.event_type,
            entity_id=int(ident) if ident.isdigit() and len(ident) < 19 else 0, data=msgspec.Raw(msgspec.json.encode(record)),
        )  # fmt: skip
        return Normalized(inquiries=(change,))
