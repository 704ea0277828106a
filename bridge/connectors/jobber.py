"""Jobber: thin notices, answered within a second; clients and requests are read by GraphQL."""

from collections.abc import Iterator
from typing import Any

import msgspec

from bridge.connectors import schemes
from bridge.connectors.base import About, Fetch, Normalized, SourceOptions
from bridge.connectors.dialect import Dialect, fetched_json, skipped, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import dig, objects, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

_CLIENT = (
    "id firstName lastName companyName isCompany updatedAt emails{address primary} phones{number primary} "
    "billingAddress{street1 street2 city province postalCode country} tags{nodes{label}}"
)
_QUERIES = {
    "client": "query($id:EncodedId!){client(id:$id){" + _CLIENT + "}}",
    "request": (
        "query($id:EncodedId!){request(id:$id){id title source createdAt updatedAt "
        "client{" + _CLIENT + "} property{address{street1 street2 city province postalCode country}}}}"
    ),
}
_TOPICS = {
    "CLIENT_CREATE": "client", "CLIENT_UPDATE": "client", "CLIENT_DESTROY": "", "REQUEST_CREATE": "request",
}  # fmt: skip
_VERSION = "2025-01-20"


class Jobber(Dialect):
    """Clients and requests of Jobber."""

    options_known = frozenset({"graphql_version"})
    kind = "jobber"
    about = About(
        title="Jobber", family="crm", signature="X-Jobber-Hmac-SHA256: base64 HMAC-SHA256 of the body",
        dedup="accountId, topic, itemId and occurredAt", retries="at least once; failing apps may be disabled", answer="202 within 1 s",
        hydration="POST api.getjobber.com/api/graphql with an OAuth token",
        setup=("Developer Center › your app › Webhooks: hook URL; topics CLIENT_CREATE, CLIENT_UPDATE, REQUEST_CREATE.",),
        paste="the app's client secret",
        notes=("Apps made before 2023-12-08 spell it occuredAt: both are read.", "A request is a wish, a client a contact update."),
        guessed=("The GraphQL version (`options.graphql_version`) and the names asked for.",),
    )  # fmt: skip
    schemes = schemes.JOBBER
    handled = frozenset(_TOPICS)
    ignored = frozenset(
        f"{entity}_{what}"
        for entity in (
            "QUOTE",
            "JOB",
            "VISIT",
            "INVOICE",
            "PROPERTY",
            "PAYMENT",
            "PAYOUT",
            "EXPENSE",
            "TIMESHEET",
            "PRODUCT_OR_SERVICE",
        )
        for what in ("CREATE", "UPDATE", "DESTROY", "APPROVAL", "COMPLETE", "CLOSED", "SENT")
    ) | {"REQUEST_UPDATE", "REQUEST_DESTROY", "APP_CONNECT", "APP_DISCONNECT"}
    hosts = frozenset({"api.getjobber.com"})

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the topic."""
        del request
        return text(_notice(payload).get("topic"))

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return what names the notice; Jobber sends no id."""
        del request
        notice = _notice(payload)
        parts = [text(notice.get(name)) for name in ("accountId", "topic", "itemId")]
        return "|".join((*parts, _at(notice))) if all(parts) else ""

    def fetches(self, delivery: Delivery, *, options: SourceOptions) -> tuple[Fetch, ...]:
        """Describe the GraphQL read of the client or request."""
        kind = _TOPICS.get(delivery.event_type, "")
        if options.hydrate is None or not kind:
            return ()
        ident = text(_notice(self.read(delivery.request)).get("itemId"))
        version = text(options.options.get("graphql_version")) or _VERSION
        return (
            Fetch(
                name=kind, url="https://api.getjobber.com/api/graphql", auth=options.hydrate.auth, method="POST", expect=(200,),
                headers=(("content-type", "application/json"), ("x-jobber-graphql-version", version)),
                body=msgspec.json.encode({"query": _QUERIES[kind], "variables": {"id": ident}}),
            ),
        )  # fmt: skip

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a client as an update, a request as a wish."""
        notice = _notice(payload)
        ident, version = text(notice.get("itemId")), _at(notice)
        kind, at = _TOPICS[delivery.event_type], moment(version)
        answer = fetched_json(delivery, kind) if kind else None
        record = dig(answer[1], "data", kind) if answer else None
        if kind and not isinstance(record, dict):
            reason = Reason.HYDRATION_MISSING if answer is None else Reason.HYDRATION_REFUSED
            return skipped(delivery.event_type, reason, ident)
        record = record if isinstance(record, dict) else {}
        client = record.get("client") if kind == "request" else record
        client = client if isinstance(client, dict) else {}
        address = dig(record, "property", "address") or client.get("billingAddress")
        draft = self.draft(list(_fields(client, address)), record, delivery, options)
        if kind == "request":
            draft.put("service", record.get("title"), "fetched.request.title")
            draft.answer("Source in Jobber", record.get("source"), "fetched.source")
            return wish(draft, delivery.event_type, key=f"request/{ident}", record_id=ident, occurred_at=at)
        update = draft.contact_update(
            key=f"client/{ident}|{delivery.event_type}|{version}", record_id=ident, version=version, occurred_at=at,
            is_new=delivery.event_type == "CLIENT_CREATE", is_deleted=delivery.event_type == "CLIENT_DESTROY",
            tags_added=[text(row.get("label")) for row in objects(dig(client, "tags", "nodes"))],
        )  # fmt: skip
        return Normalized(inquiries=(update,))


def _notice(payload: dict[str, Any]) -> dict[str, Any]:
    found = dig(payload, "data", "webHookEvent")
    return found if isinstance(found, dict) else {}


def _at(notice: dict[str, Any]) -> str:
    return text(notice.get("occurredAt")) or text(notice.get("occuredAt"))


def _fields(client: dict[str, Any], address: Any) -> Iterator[Field]:
    for name, slot in (("firstName", "given_name"), ("lastName", "surname"), ("companyName", "company")):
        yield Field(f"fetched.client.{name}", name, client.get(name), slot)
    for name, inner, slot in (("phones", "number", "phone"), ("emails", "address", "email")):
        rows = sorted(objects(client.get(name)), key=lambda row: row.get("primary") is not True)
        for place, row in enumerate(rows):
            yield Field(f"fetched.client.{name}.{place}", name, row.get(inner), slot)
    for name, slot in (
        ("street1", "street"), ("street2", "unit"), ("city", "city"), ("province", "state"), ("postalCode", "zip"), ("country", "country"),
    ):  # fmt: skip
        yield Field(f"fetched.address.{name}", name, dig(address, name), slot)
