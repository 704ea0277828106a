"""Unbounce: a form post whose field `data.json` holds every answer as a list of one."""

from typing import Any

from bridge.connectors.base import About, PayloadMalformed, SourceOptions
from bridge.connectors.dialect import SHARED
from bridge.connectors.extract import Field
from bridge.connectors.forms import FormSender, Submission
from bridge.connectors.payloads import ANY_FORM, JSON_TYPES, decode_json, text

_META = {
    "ip_address",
    "time_submitted",
    "date_submitted",
    "page_uuid",
    "variant",
    "page_id",
    "page_name",
    "data.json",
    "data.xml",
}


class Unbounce(FormSender):
    """Form submissions of Unbounce landing pages."""

    kind = "unbounce"
    about = About(
        title="Unbounce", family="form", signature="none; a token in the URL",
        dedup="none: the body's hash, for 10 minutes", retries="unknown",
        setup=("Open the page › Integrations › Webhook: POST to URL.", "Paste the hook URL with `?token=<token>`."),
        paste="the token of the URL", guessed=("The whole shape: no captured request was found.",),
    )  # fmt: skip
    content_types = ANY_FORM | JSON_TYPES
    shared = SHARED
    dedup_window_seconds = 600

    def submission(self, payload: Any, options: SourceOptions) -> Submission:
        """Return the answers of `data.json`; without it those of the form itself."""
        del options
        inner = payload.get("data.json")
        data = decode_json(inner) if isinstance(inner, str) else payload
        if not isinstance(data, dict):
            raise PayloadMalformed("data.json is no object")
        fields = [Field(f"data.json.{name}", name, value) for name, value in data.items() if name not in _META]
        fields.append(Field("page_url", "page url", payload.get("page_url"), "landing_page"))
        when = f"{_one(data.get('date_submitted'))} {_one(data.get('time_submitted')).removesuffix(' UTC')}".strip()
        return Submission(fields=fields, at=when)


def _one(value: Any) -> str:
    return text(value[0]) if isinstance(value, list) and value else text(value)
