"""Meta Lead Ads: a thin notice per lead; the answers are fetched from the Graph API."""

import hmac
from typing import Any
from urllib.parse import quote

from bridge.connectors import schemes
from bridge.connectors.base import About, Fetch, Normalized, Reply, Secret, Skipped, SourceOptions
from bridge.connectors.dialect import Dialect, fetched_json, wish
from bridge.connectors.extract import Field
from bridge.connectors.payloads import dig, objects, query, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import Inquiry
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

_FIELDS = (
    "id,created_time,field_data,ad_id,ad_name,adset_id,adset_name,campaign_id,campaign_name,form_id,platform,is_organic"
)
_VERSION = "v23.0"


class MetaLeadAds(Dialect):
    """Leads of Facebook and Instagram lead ads."""

    options_known = frozenset({"graph_version"})
    kind = "meta-lead-ads"
    about = About(
        title="Meta Lead Ads", family="ads", signature="X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of the body as sent>",
        dedup="leadgen_id (of a batch: all of them)", retries="for about 36 h, ever less often",
        hydration="GET graph.facebook.com/{leadgen_id} with a page or system-user token",
        setup=(
            "Meta app › Webhooks › Page › Subscribe: callback URL = hook URL, verify token = one of the source's secrets; field leadgen.",
            "Subscribe each page: POST /{page}/subscribed_apps?subscribed_fields=leadgen.",
            "Grant leads_retrieval to the system user whose token hydrates.",
        ),
        paste="the app secret, and as a second secret the verify token you chose",
        notes=("The handshake GET is answered with hub.challenge.", "Leads of the Lead Ads Testing Tool are flagged as tests."),
        guessed=("Retry window; the mark of test leads (`<test lead: …>`).",),
    )  # fmt: skip
    methods = frozenset({"POST", "GET"})
    schemes = schemes.META
    handled = frozenset({"leadgen"})
    ignored = frozenset({"feed", "messages", "mention", "ratings", "leadgen_update"})
    hosts = frozenset({"graph.facebook.com"})

    def handshake(self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions) -> Reply | None:
        """Return the challenge where the verify token is one of the secrets, else 403."""
        del options
        if request.method != "GET":
            return None
        asked = query(request)
        token = asked.get("hub.verify_token", "")
        known = sum(hmac.compare_digest(token.encode(), secret.value.encode()) for secret in secrets)
        if asked.get("hub.mode") != "subscribe" or not known or not token:
            return Reply(status=403, body=b"verify token is not this source's")
        return Reply(body=asked.get("hub.challenge", "").encode(), media_type="text/plain")

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the changed field; of another object than a page with the object before it."""
        del request
        fields = {text(change.get("field")) for change in _changes(payload)}
        field = "leadgen" if "leadgen" in fields else min(fields, default="unknown")
        return field if text(payload.get("object")) == "page" else f"{text(payload.get('object'))}.{field}"

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the ids of all leads in the notice."""
        del request
        idents = sorted({text(dig(change, "value", "leadgen_id")) for change in _changes(payload)} - {""})
        return "|".join(idents) if len(idents) <= 8 else ""

    def fetches(self, delivery: Delivery, *, options: SourceOptions) -> tuple[Fetch, ...]:
        """Describe one Graph request per lead."""
        if options.hydrate is None:
            return ()
        version = text(options.options.get("graph_version")) or _VERSION
        idents = dict.fromkeys(_lead_id(change) for change in _leads(self.read(delivery.request)))
        return tuple(
            Fetch(
                name=f"lead/{ident}",
                url=f"https://graph.facebook.com/{version}/{quote(ident, safe='')}?fields={_FIELDS}",
                auth=options.hydrate.auth,
            )
            for ident in idents
        )

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a wish per lead; one that was not fetched is told as such and can be replayed."""
        inquiries: list[Inquiry] = []
        rest: list[Skipped] = []
        for change in _leads(payload):
            ident = _lead_id(change)
            answer = fetched_json(delivery, f"lead/{ident}")
            if answer is None or answer[0] != 200 or not isinstance(answer[1], dict):
                reason = Reason.HYDRATION_MISSING if answer is None else Reason.HYDRATION_REFUSED
                rest.append(Skipped(event_type="leadgen", reason=reason, key=ident))
                continue
            found = self._lead(answer[1], ident, change, delivery, options)
            inquiries += found.inquiries
            rest += found.skipped
        return Normalized(inquiries=tuple(inquiries), skipped=tuple(rest))

    def _lead(
        self, lead: dict[str, Any], ident: str, change: dict[str, Any], delivery: Delivery, options: SourceOptions
    ) -> Normalized:
        fields = [
            Field(f"fetched.field_data.{place}", text(row.get("name")).replace("_", " "), _values(row))
            for place, row in enumerate(objects(lead.get("field_data")))
        ]
        for name, slot in (
            ("campaign_name", "campaign"),
            ("platform", "utm_source"),
            ("adset_name", "utm_adgroup"),
            ("ad_name", "utm_content"),
        ):
            fields.append(Field(f"fetched.{name}", name, lead.get(name), slot))
        draft = self.draft(fields, lead, delivery, options)
        draft.is_test = draft.is_test or any(
            "<test lead" in text(_values(row)) for row in objects(lead.get("field_data"))
        )
        at = moment(lead.get("created_time") or dig(change, "value", "created_time"))
        return wish(draft, "leadgen", key=ident, record_id=ident, occurred_at=at, channel="ad")


def _changes(payload: dict[str, Any]) -> list[dict[str, Any]]:
    return [change for entry in objects(payload.get("entry")) for change in objects(entry.get("changes"))]


def _leads(payload: dict[str, Any]) -> list[dict[str, Any]]:
    return [change for change in _changes(payload) if text(change.get("field")) == "leadgen" and _lead_id(change)]


def _lead_id(change: dict[str, Any]) -> str:
    return text(dig(change, "value", "leadgen_id"))


def _values(row: dict[str, Any]) -> Any:
    values = row.get("values")
    return values[0] if isinstance(values, list) and len(values) == 1 else values
