"""TikTok lead generation: no delivery was captured; signed as TikTok's developer webhooks, or proved by a shared value."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors import schemes
from bridge.connectors.base import About, Normalized, SourceOptions
from bridge.connectors.dialect import SHARED, Dialect, wish
from bridge.connectors.extract import Field, fields_of
from bridge.connectors.payloads import objects, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.values import moment

_SLOTS = {
    "lead_id": "meta", "page_id": "meta", "advertiser_id": "meta", "campaign_id": "campaign", "ad_id": "meta", "adgroup_id": "utm_adgroup",
    "campaign_name": "campaign", "create_time": "meta", "form_id": "meta",
}  # fmt: skip


class TikTokLeadGen(Dialect):
    """Leads of TikTok lead generation ads."""

    kind = "tiktok-lead-gen"
    about = About(
        title="TikTok lead generation", family="ads", signature="TikTok-Signature: t=,s=<hex HMAC-SHA256 of t.body>; else a shared value",
        dedup="lead_id", retries="unknown",
        setup=("Leads Center › CRM integration › Custom API with webhooks; URL = hook URL with `?token=<token>`.",),
        paste="the app's client secret, or the token of the URL",
        guessed=("The body's shape and whether lead deliveries are signed: correct it with `map:` once one is captured.",),
    )  # fmt: skip
    schemes = schemes.TIKTOK
    shared = SHARED
    handled = frozenset({"lead"})

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the object in lower case."""
        del request
        return text(payload.get("object") or payload.get("event") or "lead").lower()

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the ids of all leads."""
        del request
        return "|".join(filter(None, (_ident(entry) for entry in _entries(payload))))

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a wish per lead."""
        found = []
        for place, entry in enumerate(_entries(payload)):
            draft = self.draft(list(_fields(entry)), entry, delivery, options)
            key = _ident(entry) or f"{delivery.dedup_key}#{place}"
            at = moment(entry.get("create_time") or payload.get("time"))
            found.append(wish(draft, "lead", key=key, record_id=_ident(entry), occurred_at=at, channel="ad"))
        inquiries = tuple(inquiry for part in found for inquiry in part.inquiries)
        return Normalized(inquiries=inquiries, skipped=tuple(rest for part in found for rest in part.skipped))


def _entries(payload: dict[str, Any]) -> list[dict[str, Any]]:
    return objects(payload.get("entry")) or objects(payload.get("data")) or [payload]


def _ident(entry: dict[str, Any]) -> str:
    return text(entry.get("lead_id")) or text(entry.get("id"))


def _fields(entry: dict[str, Any]) -> Iterator[Field]:
    rows = objects(entry.get("changes")) or objects(entry.get("field_data")) or objects(entry.get("answers"))
    for place, row in enumerate(rows):
        label = text(row.get("field") or row.get("name") or row.get("question"))
        yield Field(
            f"entry.changes.{place}",
            label.replace("_", " "),
            row.get("value") or row.get("values") or row.get("answer"),
        )
    rest = {name: value for name, value in entry.items() if name not in ("changes", "field_data", "answers")}
    yield from fields_of(rest, path="entry", slots=_SLOTS)
