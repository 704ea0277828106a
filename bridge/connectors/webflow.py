"""Webflow: form submissions under the free-text labels of the form; the signed time is in milliseconds."""

from typing import Any

from bridge.connectors import schemes
from bridge.connectors.base import About, SourceOptions
from bridge.connectors.extract import Field
from bridge.connectors.forms import FormSender, Submission
from bridge.connectors.payloads import dig, objects, text
from bridge.domain.delivery import HookRequest


class Webflow(FormSender):
    """Form submissions of Webflow sites."""

    kind = "webflow"
    about = About(
        title="Webflow", family="form",
        signature="x-webflow-signature: hex HMAC-SHA256 of x-webflow-timestamp:body, 300 s both ways",
        dedup="payload.id", retries="3 tries, 10 minutes apart, then deactivated",
        setup=(
            "Create the webhook through the API with a site token (trigger form_submission): only those are signed.",
            "Copy `secretKey` from the answer. Webhooks made in the dashboard are unsigned: use `unsigned: true` and a URL token.",
        ),
        paste="`secretKey` of the webhook, or the OAuth app's client secret",
        guessed=("The retry schedule.",),
    )  # fmt: skip
    schemes = schemes.WEBFLOW
    handled = frozenset({"form_submission"})
    ignored = frozenset(
        {
            "site_publish",
            "page_created",
            "page_metadata_updated",
            "page_deleted",
            "collection_item_created",
            "collection_item_changed",
        }
        | {
            "collection_item_deleted",
            "collection_item_unpublished",
            "ecomm_new_order",
            "ecomm_order_changed",
            "comment_created",
        }
    )

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return `triggerType`; the first version of the API sent none."""
        del request
        return text(payload.get("triggerType")) or ("form_submission" if "data" in payload else "unknown")

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the submission's id."""
        del request
        return text(_inner(payload).get("id")) or text(_inner(payload).get("_id"))

    def submission(self, payload: Any, options: SourceOptions) -> Submission:
        """Return the labels and values of `data`, with the page it was sent from."""
        del options
        inner = _inner(payload)
        types = {text(row.get("fieldName")): text(row.get("fieldType")).lower() for row in objects(inner.get("schema"))}
        data = inner.get("data")
        fields = [
            Field(f"payload.data.{name}", name, value, kind=types.get(name, "").replace("formtextarea", "textarea"))
            for name, value in (data.items() if isinstance(data, dict) else ())
        ]
        page = Field("payload.pageUrl", "page url", inner.get("pageUrl"), "landing_page")
        return Submission(
            fields=[*fields, page], ident=text(inner.get("id")) or text(inner.get("_id")), at=inner.get("submittedAt")
        )


def _inner(payload: dict[str, Any]) -> dict[str, Any]:
    inner = dig(payload, "payload")
    return inner if isinstance(inner, dict) else payload
