"""Keap: thin notices of contacts; a hook is made valid by echoing X-Hook-Secret."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from bridge.connectors.base import About, Fetch, Normalized, Reply, Secret, Skipped, SourceOptions
from bridge.connectors.dialect import SHARED, Dialect, fetched_json
from bridge.connectors.extract import Field
from bridge.connectors.payloads import dig, objects, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import Inquiry
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

_MAX_FETCHES = 200
"""Records fetched of one notice: a bulk import tells of up to 1000, which is no lead and would spend the day's quota."""


class Keap(Dialect):
    """Contacts of Keap (Infusionsoft)."""

    kind = "keap"
    about = About(
        title="Keap", family="crm", signature="none documented; a token in the URL",
        dedup="event_key, id and timestamp of every object", retries="4: after 30 to 60 s, 5 min, 30 min; 410 makes it inactive",
        hydration="GET api.infusionsoft.com/crm/rest/v1/contacts/{id} with an OAuth or service token",
        setup=(
            "POST /crm/rest/v1/hooks with eventKey contact.add (then contact.edit), hookUrl = hook URL with `?token=<token>`.",
            "POST /crm/rest/v1/hooks/{key}/verify: the echo of X-Hook-Secret is answered by the bridge.",
        ),
        paste="the token of the URL",
    )  # fmt: skip
    shared = SHARED
    handled = frozenset({"contact.add", "contact.edit", "contact.delete"})
    ignored = frozenset(
        f"{entity}.{what}"
        for entity in (
            "appointment",
            "company",
            "contactGroup",
            "invoice",
            "note",
            "opportunity",
            "order",
            "task",
            "product",
            "subscription",
        )
        for what in ("add", "edit", "delete", "applied", "removed", "stage_move")
    )
    hosts = frozenset({"api.infusionsoft.com"})

    def handshake(self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions) -> Reply | None:
        """Return the header X-Hook-Secret as it came."""
        del secrets, options
        value = request.header("x-hook-secret")
        if not value or b"object_keys" in request.body:
            return None
        return Reply(headers=(("x-hook-secret", value[:200]),))

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return `event_key`."""
        del request
        return text(payload.get("event_key"))

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the event with its objects; a bulk notice is named by its body."""
        del request
        parts = [f"{text(row.get('id'))}@{text(row.get('timestamp'))}" for row in objects(payload.get("object_keys"))]
        return "|".join((text(payload.get("event_key")), *parts)) if 0 < len(parts) <= 5 else ""

    def fetches(self, delivery: Delivery, *, options: SourceOptions) -> tuple[Fetch, ...]:
        """Describe one read per contact."""
        if options.hydrate is None or delivery.event_type not in ("contact.add", "contact.edit"):
            return ()
        idents = dict.fromkeys(text(row.get("id")) for row in objects(self.read(delivery.request).get("object_keys")))
        return tuple(
            Fetch(
                name=f"contact/{ident}", auth=options.hydrate.auth,
                url=f"https://api.infusionsoft.com/crm/rest/v1/contacts/{quote(ident, safe='')}?optional_properties=custom_fields,notes",
            )
            for ident in list(filter(None, idents))[:_MAX_FETCHES]
        )  # fmt: skip

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return an update per contact."""
        inquiries: list[Inquiry] = []
        rest: list[Skipped] = []
        what = delivery.event_type.partition(".")[2]
        for row in objects(payload.get("object_keys")):
            ident, stamp = text(row.get("id")), text(row.get("timestamp"))
            answer = fetched_json(delivery, f"contact/{ident}")
            record = answer[1] if answer and answer[0] == 200 and isinstance(answer[1], dict) else None
            if record is None and what != "delete":
                reason = Reason.HYDRATION_MISSING if answer is None else Reason.HYDRATION_REFUSED
                rest.append(Skipped(event_type=delivery.event_type, reason=reason, key=ident))
                continue
            draft = self.draft(list(_fields(record or {})), record or {}, delivery, options)
            version = text(dig(record, "last_updated")) or stamp
            fields = {
                f"customField.{text(field.get('id'))}": field.get("content")
                for field in objects(dig(record, "custom_fields"))
            }
            fields |= {
                name: text(dig(record, name))
                for name in ("job_title", "website", "lead_source_id", "owner_id")
                if dig(record, name)
            }
            inquiries.append(
                draft.contact_update(
                    key=f"{delivery.event_type}|{ident}|{stamp}", record_id=ident, version=version, occurred_at=moment(stamp),
                    fields=fields, is_new=what == "add", is_deleted=what == "delete", note=text(dig(record, "notes")),
                )
            )  # fmt: skip
        return Normalized(inquiries=tuple(inquiries), skipped=tuple(rest))


def _fields(record: dict[str, Any]) -> Iterator[Field]:
    for path, slot in (("given_name", "given_name"), ("family_name", "surname"), ("company.company_name", "company")):
        yield Field(f"fetched.{path}", path, dig(record, *path.split(".")), slot)
    for place, row in enumerate(objects(record.get("email_addresses"))):
        yield Field(f"fetched.email_addresses.{place}", "email", row.get("email"), "email")
    for place, row in enumerate(objects(record.get("phone_numbers"))):
        yield Field(f"fetched.phone_numbers.{place}", "phone", row.get("number"), "phone")
    for row in objects(record.get("addresses"))[:1]:
        for name, slot in (
            ("line1", "street"), ("line2", "unit"), ("locality", "city"), ("region", "state"),
            ("zip_code", "zip"), ("postal_code", "zip"), ("country_code", "country"),
        ):  # fmt: skip
            yield Field(f"fetched.addresses.0.{name}", name, row.get(name), slot)
