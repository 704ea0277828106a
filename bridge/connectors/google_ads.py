"""Google Ads lead forms: the whole lead in one post, proved by the key that was typed into the ad."""

from typing import Any

from bridge.connectors.base import About, Identity, Normalized, Reply, SourceOptions
from bridge.connectors.credentials import SharedValue
from bridge.connectors.dialect import Dialect, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import objects, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.values import moment

_COLUMNS = {
    "FULL_NAME": "name", "FIRST_NAME": "given_name", "LAST_NAME": "surname", "EMAIL": "email", "WORK_EMAIL": "email",
    "PHONE_NUMBER": "phone", "WORK_PHONE": "phone", "STREET_ADDRESS": "street", "CITY": "city", "REGION": "state",
    "POSTAL_CODE": "zip", "COUNTRY": "country", "COMPANY_NAME": "company",
}  # fmt: skip


class GoogleAdsLeadForm(Dialect):
    """Leads of Google Ads lead form assets."""

    kind = "google-ads-lead-form"
    about = About(
        title="Google Ads lead forms", family="ads", signature="none; the key of the ad in the body (`google_key`)",
        dedup="lead_id", retries="on 5xx; 4xx is final", answer="200 {}",
        setup=(
            "Google Ads › Assets › Lead form › Export leads from Google Ads › Webhook integration.",
            "Webhook URL = hook URL, Key = a random text of your own; Send test data.",
        ),
        paste="the key you typed", notes=("Test leads (`is_test`) are flagged and by rule not booked.",),
    )  # fmt: skip
    shared = SharedValue(
        name="google-key",
        authorization=False,
        headers=(),
        any_header=False,
        query=None,
        path=False,
        body=("google_key",),
    )
    handled = frozenset({"lead"})

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the one kind there is."""
        del request
        return "lead" if "lead_id" in payload or "user_column_data" in payload else "unknown"

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the lead's id, which Google names for exactly this."""
        del request
        return text(payload.get("lead_id"))

    def reply(self, identity: Identity, *, redelivered: bool, options: SourceOptions) -> Reply:
        """Return 200 with an empty object."""
        del identity, redelivered, options
        return Reply(body=b"{}", media_type="application/json")

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return the lead as one wish; custom questions carry their text as column id."""
        fields = [
            Field(
                f"user_column_data.{place}",
                text(row.get("column_name")) or _question(row),
                row.get("string_value"),
                _COLUMNS.get(_ident(row), ""),
            )
            for place, row in enumerate(objects(payload.get("user_column_data")))
        ]
        fields.append(Field("gcl_id", "gclid", payload.get("gcl_id"), "gclid"))
        fields.append(Field("campaign_id", "campaign", payload.get("campaign_id"), "campaign"))
        draft = self.draft(fields, payload, delivery, options)
        draft.is_test = draft.is_test or payload.get("is_test") is True
        key = text(payload.get("lead_id")) or delivery.dedup_key
        return wish(
            draft, "lead", key=key, record_id=key, occurred_at=moment(payload.get("lead_submit_time")), channel="ad"
        )


def _ident(row: dict[str, Any]) -> str:
    return text(row.get("column_id"))


def _question(row: dict[str, Any]) -> str:
    return _ident(row).replace("_", " ").strip().capitalize()
