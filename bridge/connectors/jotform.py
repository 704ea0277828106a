"""Jotform: a multipart post with the answers as JSON in `rawRequest`; nothing is signed, so the submission may be confirmed."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from bridge.connectors.base import About, Fetch, Normalized, PayloadMalformed, SourceOptions
from bridge.connectors.dialect import SHARED, skipped
from bridge.connectors.extract import Field
from bridge.connectors.forms import FormSender, Submission
from bridge.connectors.payloads import ANY_FORM, JSON_TYPES, decode_json, dig, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.reasons import Reason

_QUESTION = re.compile(r"q(\d+)_(.+)")
_PRETTY = re.compile(r"(?:^|, )([^:,]{1,120}):((?:(?!, [^:,]{1,120}:).)*)", re.DOTALL)
"""The answers as one text, `Name:Dana Reyes, Phone:…`: all there is where rawRequest is left out."""
_CONFIRM = "submission"


class Jotform(FormSender):
    """Submissions of Jotform."""

    options_known = frozenset({"region"})
    kind = "jotform"
    about = About(
        title="Jotform", family="form", signature="none; a token in the URL, and by option a confirmation through the API",
        dedup="submissionID", retries="unknown",
        hydration="with a `hydrate:` credential: GET /submission/{id} confirms it and brings the questions' titles",
        setup=("Open the form › Settings › Integrations › Webhooks.", "Paste the hook URL with `?token=<token>`."),
        paste="the token of the URL; as `hydrate` credential an API key with read access",
        guessed=("The older phone shape {area, phone}.",),
    )  # fmt: skip
    content_types = ANY_FORM | JSON_TYPES
    shared = SHARED
    hosts = frozenset({"api.jotform.com", "eu-api.jotform.com"})

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the submission's id."""
        del request
        return _ident(payload)

    def submission(self, payload: Any, options: SourceOptions) -> Submission:
        """Return the answers of rawRequest, or of a submission as the API gives it."""
        del options
        if isinstance(payload.get("answers"), dict):
            return Submission(fields=list(_api_fields(payload)), ident=_ident(payload), at=payload.get("created_at"))
        return Submission(fields=list(_raw_fields(payload)), ident=_ident(payload))

    def fetches(self, delivery: Delivery, *, options: SourceOptions) -> tuple[Fetch, ...]:
        """Describe the confirmation, where the source gives an API key."""
        ident = _ident(self.read(delivery.request))
        if options.hydrate is None or not ident:
            return ()
        host = "eu-api.jotform.com" if options.options.get("region") == "eu" else "api.jotform.com"
        url = f"https://{host}/submission/{quote(ident, safe='')}"
        return (Fetch(name=_CONFIRM, url=url, auth=options.hydrate.auth, auth_style="header:APIKEY"),)

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return the submission as one wish; an unconfirmed one asks for nothing."""
        answer = next((found for found in delivery.fetched if found.name == _CONFIRM), None)
        if answer is not None:
            content = dig(decode_json(answer.body), "content") if answer.status == 200 else None
            if not isinstance(content, dict) or _ident(content) != _ident(payload):
                return skipped(delivery.event_type, Reason.HYDRATION_REFUSED, delivery.dedup_key)
            payload = content
        elif options.hydrate is not None:
            return skipped(delivery.event_type, Reason.HYDRATION_MISSING, delivery.dedup_key)
        return super().say(payload, delivery, options)


def _ident(payload: dict[str, Any]) -> str:
    return text(payload.get("submissionID")) or text(payload.get("submission_id")) or text(payload.get("id"))


def _raw_fields(payload: dict[str, Any]) -> Iterator[Field]:
    inner = payload.get("rawRequest")
    if not inner and isinstance(pretty := payload.get("pretty"), str):
        for label, said in _PRETTY.findall(pretty):
            yield Field(f"pretty.{label}", label, said.strip())
        return
    raw = decode_json(inner) if isinstance(inner, str) and inner.strip() else payload
    if not isinstance(raw, dict):
        raise PayloadMalformed("rawRequest is no object")
    for name, value in raw.items():
        if question := _QUESTION.fullmatch(name):
            yield Field(f"rawRequest.{name}", question[2].rstrip("0123456789") or question[2], value)
        elif isinstance(value, list) and value and all(text(item).startswith("http") for item in value):
            yield Field(f"rawRequest.{name}", name, value)


def _api_fields(submission: dict[str, Any]) -> Iterator[Field]:
    for number, answer in submission["answers"].items():
        if isinstance(answer, dict):
            label = text(answer.get("text")) or text(answer.get("name"))
            yield Field(f"answers.{number}", label, answer.get("answer"), kind=text(answer.get("type")))
