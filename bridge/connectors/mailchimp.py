"""Mailchimp: audience changes, urlencoded; the URL is checked by a GET."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors.base import About, Normalized, Reply, Secret, SourceOptions
from bridge.connectors.dialect import SHARED, Dialect
from bridge.connectors.extract import Field
from bridge.connectors.payloads import ANY_FORM, dig, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import Channel, PreferenceChange
from bridge.domain.values import moment

_OWN = frozenset({"EMAIL", "FNAME", "LNAME", "PHONE", "ADDRESS", "COMPANY"})


class Mailchimp(Dialect):
    """Subscribers of Mailchimp audiences."""

    kind = "mailchimp"
    about = About(
        title="Mailchimp", family="marketing", signature="none; a token in the URL",
        dedup="data[id] with type and fired_at", retries="for about an hour; 10 s timeout",
        setup=(
            "Audience › Settings › Webhooks › Create: hook URL with `?token=<token>`.",
            "Events: Subscribes, Unsubscribes, Profile updates, Cleaned.",
        ),
        paste="the token of the URL", notes=("The GET that checks the URL is answered 200.",), guessed=("Timeout and retries.",),
    )  # fmt: skip
    content_types = ANY_FORM
    methods = frozenset({"POST", "GET", "HEAD"})
    shared = SHARED
    handled = frozenset({"subscribe", "unsubscribe", "profile", "upemail", "cleaned"})
    ignored = frozenset({"campaign", "pending"})

    def handshake(self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions) -> Reply | None:
        """Return 200 to the GET that checks the URL."""
        del secrets, options
        return Reply(body=b"ok") if request.method in ("GET", "HEAD") else None

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return `type`."""
        del request
        return text(payload.get("type"))

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the subscriber with the event and its time."""
        del request
        ident = (
            text(dig(payload, "data", "id"))
            or text(dig(payload, "data", "new_id"))
            or text(dig(payload, "data", "email"))
        )
        return "|".join((ident, text(payload.get("type")), text(payload.get("fired_at")))) if ident else ""

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a subscriber's update, or the opt-out of e-mail."""
        data = payload.get("data")
        data = data if isinstance(data, dict) else {}
        draft = self.draft(list(_fields(data)), payload, delivery, options)
        stamp = text(payload.get("fired_at"))
        ident = text(data.get("id")) or text(data.get("new_id")) or text(data.get("email"))
        at, key = moment(stamp), delivery.dedup_key
        if delivery.event_type in ("unsubscribe", "cleaned"):
            change = PreferenceChange(
                key=key, record_id=ident, person=draft.person(), occurred_at=at, origins=draft.origins,
                channel=Channel.EMAIL, opted_in=False, note=text(data.get("reason")) or delivery.event_type,
            )  # fmt: skip
            return Normalized(inquiries=(change,))
        merges = data.get("merges")
        fields = {name: value for name, value in merges.items() if name not in _OWN} if isinstance(merges, dict) else {}
        if delivery.event_type == "upemail":
            fields = {"old_email": data.get("old_email")}
        update = draft.contact_update(
            key=key, record_id=ident, version=stamp or key, occurred_at=at, fields=fields, is_new=delivery.event_type == "subscribe",
            changed=["email"] if delivery.event_type == "upemail" else (),
        )  # fmt: skip
        return Normalized(inquiries=(update,))


def _fields(data: dict[str, Any]) -> Iterator[Field]:
    for path, slot in (
        ("new_email", "email"), ("email", "email"), ("merges.EMAIL", "email"), ("merges.FNAME", "given_name"), ("merges.LNAME", "surname"),
        ("merges.PHONE", "phone"), ("merges.COMPANY", "company"),
    ):  # fmt: skip
        yield Field(f"data.{path}", path, dig(data, *path.split(".")), slot)
    where = dig(data, "merges", "ADDRESS")
    if isinstance(where, str):
        yield Field("data.merges.ADDRESS", "address", where, "address")
    for name, slot in (
        ("addr1", "street"),
        ("addr2", "unit"),
        ("city", "city"),
        ("state", "state"),
        ("zip", "zip"),
        ("country", "country"),
    ):
        yield Field(f"data.merges.ADDRESS.{name}", name, dig(where, name), slot)
