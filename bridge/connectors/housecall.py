"""Housecall Pro: whole records under the name of their resource; the URL is checked by an unsigned {"foo":"bar"}."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors import schemes
from bridge.connectors.base import About, Normalized, PayloadMalformed, Reply, Secret, SourceOptions
from bridge.connectors.dialect import Dialect, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import decode_json, dig, items, objects, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.values import moment

_CHECK = {"foo": "bar"}


class HousecallPro(Dialect):
    """Customers and leads of Housecall Pro."""

    kind = "housecall-pro"
    about = About(
        title="Housecall Pro", family="crm", signature="Api-Signature: hex HMAC-SHA256 of Api-Timestamp.body, 300 s both ways",
        dedup="event, record id and event_occurred_at", retries="unknown",
        setup=("My Apps › Webhooks (MAX plan): hook URL; customer.created, customer.updated, lead.created.", "Copy the signing secret."),
        paste="the signing secret",
        notes=("The URL check is answered without a signature and stored nowhere.", "A lead is a wish, a customer a contact update."),
        guessed=("Names of phone and e-mail fields; the second envelope {id, event, created_at, data}.",),
    )  # fmt: skip
    schemes = schemes.HOUSECALL
    handled = frozenset({"customer.created", "customer.updated", "customer.deleted", "lead.created"})
    ignored = frozenset(
        f"{entity}.{what}"
        for entity in ("job", "estimate", "invoice", "lead", "job.appointment", "payment", "estimate.option", "pro")
        for what in (
            "created",
            "updated",
            "deleted",
            "scheduled",
            "started",
            "completed",
            "canceled",
            "paid",
            "sent",
            "approved",
            "declined",
        )
    ) - {"lead.created"} | {
        "job.on_my_way",
        "estimate.on_my_way",
        "estimate.copy_to_job",
        "lead.lost",
        "lead.converted",
        "estimate.option.approval_status_changed",
    }

    def handshake(self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions) -> Reply | None:
        """Return 200 to the exact check body where it is unsigned."""
        del secrets, options
        if len(request.body) > 40 or request.header("api-signature") is not None:
            return None
        try:
            return Reply(body=b"ok") if decode_json(request.body) == _CHECK else None
        except PayloadMalformed:
            return None

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return `event`."""
        del request
        return text(payload.get("event"))

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the event's id where there is one, else what it tells of."""
        del request
        if payload.get("id") and payload.get("event"):
            return text(payload["id"])
        record, at = _record(payload), text(payload.get("event_occurred_at"))
        return "|".join((text(payload.get("event")), text(record.get("id")), at)) if record.get("id") and at else ""

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a customer as an update, a lead as a wish."""
        record = _record(payload)
        entity, _, what = delivery.event_type.partition(".")
        ident, stamp = text(record.get("id")), text(payload.get("event_occurred_at")) or text(payload.get("created_at"))
        customer = record.get("customer") if entity == "lead" else record
        customer = customer if isinstance(customer, dict) else record
        draft = self.draft(list(_fields(customer, record)), payload, delivery, options)
        at = moment(stamp)
        if entity == "lead":
            return wish(draft, delivery.event_type, key=f"lead/{ident}", record_id=ident, occurred_at=at)
        plain = {
            name: value
            for name, value in record.items()
            if isinstance(value, str | int | float | bool) and name not in _KNOWN and name != "id"
        }
        update = draft.contact_update(
            key=f"{delivery.event_type}|{ident}|{stamp or delivery.dedup_key}", record_id=ident, version=stamp or delivery.dedup_key,
            occurred_at=at, fields=plain, is_new=what == "created", is_deleted=what == "deleted",
            tags_added=[text(tag if isinstance(tag, str) else dig(tag, "name")) for tag in items(record.get("tags"))],
        )  # fmt: skip
        return Normalized(inquiries=(update,))


_KNOWN = {
    "first_name": "given_name", "last_name": "surname", "company": "company", "company_name": "company", "email": "email",
    "mobile_number": "phone", "home_number": "phone", "work_number": "phone", "phone_number": "phone", "lead_source": "campaign",
}  # fmt: skip


def _record(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the record: under its resource's name, or under `data`, which may nest it once more."""
    name = text(payload.get("event")).partition(".")[0]
    found = payload.get(name) or dig(payload, "data", name) or payload.get("data")
    return found if isinstance(found, dict) else {}


def _fields(customer: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    for name, slot in _KNOWN.items():
        yield Field(f"customer.{name}", name, customer.get(name), slot)
    where = (
        record.get("address")
        if isinstance(record.get("address"), dict)
        else next(iter(objects(customer.get("addresses"))), {})
    )
    for name, slot in (
        ("street", "street"),
        ("street_line_2", "unit"),
        ("city", "city"),
        ("state", "state"),
        ("zip", "zip"),
        ("country", "country"),
    ):
        yield Field(f"customer.addresses.0.{name}", name, dig(where, name), slot)
    if record is not customer:
        for name, slot in (
            ("note", "message"),
            ("description", "message"),
            ("title", "service"),
            ("job_type", "service"),
            ("lead_source", "campaign"),
        ):
            yield Field(f"lead.{name}", name, record.get(name), slot)
