"""Any sender that needs no code: the config says how it proves itself and where things stand; extraction finds the rest."""

import hashlib
from collections.abc import Iterable
from typing import Any, ClassVar, get_args

import msgspec

from bridge.connectors import payloads, schemes
from bridge.connectors.base import About, Identity, Normalized, PayloadMalformed, Secret, SourceOptions
from bridge.connectors.credentials import SharedValue
from bridge.connectors.dialect import SHARED, Dialect, body_hash, skipped, wish
from bridge.connectors.extract import fields_of
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ActivityKind, Channel, PreferenceChange
from bridge.domain.reasons import Reason
from bridge.domain.values import moment

EVENT_PATHS = ("type", "event", "event_type", "eventType", "event.type", "topic", "action", "trigger")
ID_PATHS = (
    "event_id",
    "eventId",
    "webhook_id",
    "delivery_id",
    "submission_id",
    "submissionId",
    "lead_id",
    "leadId",
    "entry_id",
    "id",
    "uuid",
)
TIME_PATHS = (
    "occurred_at",
    "created_at",
    "createdAt",
    "submitted_at",
    "submittedAt",
    "timestamp",
    "date_created",
    "time",
    "date",
)
ASKS = ("booking", "contact", "activity", "preference")
KNOWN_OPTIONS = frozenset({"event", "dedup", "record", "occurred_at", "ask", "channel", "only", "ignore", "items"})


_VERIFY = """## How the sender proves itself: `options.verify`

Without it a shared value may stand in any of the usual places. A scheme is told by these parts; all but `header` have a default.

| part | values |
| --- | --- |
| `header` | the header that holds the signature |
| `algorithm` | ALGORITHMS; without one `hmac-sha256` |
| `encoding` | `hex` (default), `base64`, `base64url` |
| `prefix` | what stands before the signature, such as `sha256=` |
| `layout`, `field` | `plain` (default); `fields` for `t=…,v1=…`; `words` for `v1,… v1a,…`; `field` names the entries that are signatures |
| `signed` | text with `{body}` (default), `{timestamp}`, `{id}`, `{method}`, `{url}`, `{path}`, `{secret}`, and the parts below |
| | `{form}`: all fields sorted, name before value; `{form:NAME}`, `{json:PATH}`, `{query:NAME}`, `{header:NAME}`: one value |
| `timestamp`, `unit`, `tolerance` | a header, or `field:t` of the list; `s` (default), `ms`, `http-date`, `iso`; seconds both ways, `null` where it is not judged |
| `id_header` | the header of `{id}` |
| `key` | how the secret is written: `text` (default), `base64`, `hex`, `whsec`; a public key is PEM, a certificate, DER or raw bytes in base64 or hex |
| `preset` | in place of all parts: PRESET_NAMES |
| `shared` | in place of all parts: a token, key or password; `authorization`, `headers`, `any_header`, `query`, `path`, `body` say where it may stand |

```yaml
verify: {header: X-Acme-Signature, encoding: base64, prefix: "sha256="}
verify: {header: X-Acme-Signature, layout: fields, field: v1, timestamp: "field:t", signed: "{timestamp}.{body}"}
verify: {header: X-Acme-Signature, timestamp: X-Acme-Time, unit: ms, signed: "{method}{url}{timestamp}{body}"}
verify: {header: X-Acme-Signature, algorithm: hmac-sha1, encoding: base64, signed: "{url}{form}"}
verify: {header: X-Acme-Signature, algorithm: ecdsa-p256-sha256, encoding: base64, timestamp: X-Acme-Time, signed: "{timestamp}{body}"}
verify: {header: X-Acme-Signature, algorithm: ed25519}
verify: {preset: standard-webhooks}
verify: {shared: {headers: [X-Acme-Key], any_header: false, query: [key], path: false}}
verify: {shared: {body: [auth.token]}}
```
"""
_VERIFY = _VERIFY.replace("PRESET_NAMES", ", ".join(f"`{name}`" for name in sorted(schemes.PRESETS)))
_VERIFY = _VERIFY.replace("ALGORITHMS", ", ".join(f"`{name}`" for name in get_args(schemes.Algorithm)))


class Generic(Dialect):
    """A sender described by config alone."""

    options_known = KNOWN_OPTIONS
    kind = "generic"
    about = About(
        title="Any sender", family="generic",
        signature="by config: HMAC of any shape, Ed25519, RSA, token, basic, bearer",
        dedup="`options.dedup`, else an id of the payload, else the body's hash",
        retries="as the sender does",
        setup=("Paste the hook URL and the secret where the sender asks for a webhook.",),
        paste="the signing key, token, or user:password",
        notes=(
            "`options.event`, `dedup`, `record`, `occurred_at` are dotted paths, or `header:NAME` and `query:NAME`; `items` is the path of a batch.",
            "`options.ask` is booking, contact, activity or preference; `only` and `ignore` are lists of event types.",
        ),
        more=_VERIFY,
    )  # fmt: skip
    content_types = frozenset({*payloads.JSON_TYPES, *payloads.ANY_FORM, *payloads.XML_TYPES, "text/plain", ""})
    methods = frozenset({"POST", "PUT", "PATCH", "GET"})
    handled = frozenset({"*"})
    shared: ClassVar[SharedValue | None] = SHARED
    id_header: ClassVar[str] = ""
    """Where the standard itself gives an id that survives redelivery."""

    def read(self, request: HookRequest) -> Any:
        """Return the payload as plain data; a plain text is a message."""
        if request.content_type in ("", "text/plain"):
            try:
                return payloads.read(request)
            except PayloadMalformed:
                return {"message": payloads.text(request.body.decode("utf-8", "replace"))}
        return payloads.read(request)

    def identify(self, request: HookRequest, *, options: SourceOptions) -> Identity:
        """Name the delivery by the standard's id, the configured path, a usual id, or the body's hash."""
        payload, chosen = self.read(request), options.options
        key = request.header(self.id_header) if self.id_header else ""
        if not key and (path := chosen.get("dedup")):
            key = "|".join(filter(None, (_find(payload, request, part) for part in payloads.items(path))))
        elif not key:
            key = _first(payload, ID_PATHS)
            key = f"{key}|{body_hash(request)[7:23]}" if key else ""
        event = _find(payload, request, str(chosen["event"])) if "event" in chosen else _first(payload, EVENT_PATHS)
        if not event and not self.is_token_in_path(options):
            event = "/".join(payloads.sub_path(request))
        return Identity(dedup_key=payloads.text(key)[:200] or body_hash(request), event_type=event[:100] or "webhook")

    def is_token_in_path(self, options: SourceOptions) -> bool:
        """Tell whether the last part of the path is a secret and so must not be shown as an event type."""
        shared = self.proofs(options)[1]
        return shared is not None and shared.path

    def normalize(self, delivery: Delivery, *, options: SourceOptions) -> Normalized:
        """Say what the payload asks for; a list is a batch, each object with its own key."""
        chosen = options.options
        if delivery.event_type in payloads.items(chosen.get("ignore")):
            return skipped(delivery.event_type, Reason.EVENT_IGNORED)
        if "only" in chosen and delivery.event_type not in payloads.items(chosen["only"]):
            return skipped(delivery.event_type, Reason.EVENT_UNSUPPORTED)
        payload = self.read(delivery.request)
        if path := chosen.get("items"):
            payload = payloads.at(payload, str(path))
        parts = payloads.objects(payload)[:500]
        found = [
            self.one(part, delivery, options, key=_key_of(part, place, len(parts), delivery, options))
            for place, part in enumerate(parts)
        ]
        if not found:
            return skipped(delivery.event_type, Reason.PERSON_MISSING)
        return Normalized(
            inquiries=tuple(inquiry for part in found for inquiry in part.inquiries),
            skipped=tuple(rest for part in found for rest in part.skipped),
        )

    def one(self, part: dict[str, Any], delivery: Delivery, options: SourceOptions, *, key: str) -> Normalized:
        """Return what one object of a payload asks for, as the kind the config names."""
        chosen, event = options.options, delivery.event_type
        proof = self.proofs(options)[1]
        hidden = dict.fromkeys(proof.body if proof else (), "meta")  # a token is no answer
        draft = self.draft(fields_of(part, slots=hidden), part, delivery, options)
        draft.answers = [answer for answer in draft.answers if answer.value != event]
        occurred = moment(
            payloads.at(part, str(chosen["occurred_at"])) if "occurred_at" in chosen else _first(part, TIME_PATHS)
        )
        record = payloads.text(payloads.at(part, str(chosen["record"]))) if "record" in chosen else ""
        match chosen.get("ask", "booking"):
            case "contact":
                flat = {field.path: field.value for field in fields_of(part)}
                version = occurred.isoformat() if occurred else key
                update = draft.contact_update(
                    key=key, record_id=record or key, version=version, occurred_at=occurred, fields=flat
                )
                return Normalized(inquiries=(update,))
            case "activity":
                kind = ActivityKind(str(chosen.get("channel", "form")))
                return Normalized(inquiries=(draft.activity(kind, key=key, record_id=record, occurred_at=occurred),))
            case "preference":
                change = PreferenceChange(
                    key=key, record_id=record, person=draft.person(), occurred_at=occurred, origins=draft.origins,
                    channel=Channel(str(chosen.get("channel", "email"))), opted_in=False,
                )  # fmt: skip
                return Normalized(inquiries=(change,))
            case _:
                channel = str(chosen.get("channel", "form"))
                return wish(draft, event, key=key, record_id=record, occurred_at=occurred, channel=channel)

    def faults(self, *, secrets: tuple[Secret, ...], options: SourceOptions) -> tuple[str, ...]:
        """Return what is wrong with the source."""
        found = [*super().faults(secrets=secrets, options=options)]
        ask = options.options.get("ask", "booking")
        if ask not in ASKS:
            found.append(f"options.ask: {ask!r} is none of {', '.join(ASKS)}")
        channels = {"activity": ActivityKind, "preference": Channel}.get(str(ask))
        if channels and "channel" in options.options and str(options.options["channel"]) not in {*channels}:
            found.append(f"options.channel: {options.options['channel']!r} is none of {', '.join(channels)}")
        return tuple(found)


def _find(payload: Any, request: HookRequest, path: str) -> str:
    """Return what stands at `header:NAME`, `query:NAME` or a dotted path of the payload."""
    if path.startswith("header:"):
        return payloads.text(request.header(path[7:].lower()))
    if path.startswith("query:"):
        return payloads.text(payloads.query(request).get(path[6:]))
    return payloads.text(payloads.at(payload, path.removeprefix("payload.")))


def _key_of(part: dict[str, Any], place: int, count: int, delivery: Delivery, options: SourceOptions) -> str:
    """Return the key of one part of a batch: its own id, so that it is the same in whatever company it comes again."""
    if count == 1:
        return delivery.dedup_key
    if path := options.options.get("dedup"):
        inside = [one for one in map(str, payloads.items(path)) if not one.startswith(("header:", "query:"))]
        own = "|".join(filter(None, (_find(part, delivery.request, one) for one in inside)))
        return own or f"{delivery.dedup_key}#{place}"
    own = _first(part, ID_PATHS)
    # An id may name a record that is told of again and again: what is said of it counts, too.
    return (
        f"{own}|{hashlib.sha256(msgspec.json.encode(part)).hexdigest()[:16]}"
        if own
        else f"{delivery.dedup_key}#{place}"
    )


def _first(payload: Any, paths: Iterable[str]) -> str:
    for path in paths:
        if found := payloads.text(payloads.at(payload, path)):
            return found
    return ""


class StandardWebhooks(Generic):
    """The open standard: `webhook-id`, `webhook-timestamp`, `webhook-signature`."""

    kind = "standard-webhooks"
    about = About(
        title="Standard Webhooks", family="generic",
        signature="webhook-signature: v1 HMAC-SHA256 or v1a Ed25519 over id.timestamp.body, 300 s both ways",
        dedup="header webhook-id", retries="sender's choice; the standard suggests 9 tries over 3 days",
        setup=("Create an endpoint with the hook URL in the sender's webhook page.", "Copy the signing secret (`whsec_…`)."),
        paste="`whsec_…` (HMAC) or `whpk_…` (Ed25519 public key)",
    )  # fmt: skip
    schemes = schemes.STANDARD_WEBHOOKS
    shared = None
    id_header = "webhook-id"


class Svix(StandardWebhooks):
    """Standard Webhooks under the older names svix-id, svix-timestamp, svix-signature."""

    kind = "svix"
    about = About(
        title="Svix", family="generic",
        signature="svix-signature (or webhook-signature), as Standard Webhooks",
        dedup="header svix-id", retries="8 tries over 28 hours",
        setup=("Create an endpoint with the hook URL in the sender's Svix portal.", "Copy the signing secret."),
        paste="`whsec_…`",
    )  # fmt: skip
    schemes = schemes.SVIX

    def identify(self, request: HookRequest, *, options: SourceOptions) -> Identity:
        """Name the delivery by svix-id, else by webhook-id."""
        found = super().identify(request, options=options)
        ident = payloads.text(request.header("svix-id"))[:200]
        return Identity(dedup_key=ident or found.dedup_key, event_type=found.event_type)


class GitHubStyle(Generic):
    """Bare HMAC of the body in X-Hub-Signature-256, as GitHub and many others send it."""

    kind = "github-style"
    about = About(
        title="GitHub style", family="generic", signature="X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of the body>",
        dedup="header x-github-delivery, else as any sender", retries="as the sender does",
        setup=("Paste the hook URL and a secret of your own into the sender's webhook page.",), paste="the text you chose",
    )  # fmt: skip
    schemes = schemes.GITHUB
    shared = None
    id_header = "x-github-delivery"


class StripeStyle(Generic):
    """`t=…,v1=…` in Stripe-Signature; several v1 during rotation."""

    kind = "stripe-style"
    about = About(
        title="Stripe style", family="generic", signature="Stripe-Signature: t=,v1=<hex HMAC-SHA256 of t.body>, 300 s both ways",
        dedup="`id` of the payload", retries="Stripe: 3 days",
        setup=("Add an endpoint with the hook URL.", "Copy the signing secret; it is used as it is, `whsec_` included."),
        paste="the signing secret, verbatim",
    )  # fmt: skip
    schemes = schemes.STRIPE
    shared = None


class ZapierMake(Generic):
    """Zapier, Make and other no-code tools: the user shapes the payload and chooses the header."""

    kind = "zapier-make-generic"
    about = About(
        title="Zapier and Make", family="generic", signature="none; bearer, basic, header or URL token of your choice",
        dedup="an id of the payload, else the body's hash", retries="Zapier: only with autoreplay; Make: scenario setting",
        setup=(
            "Zapier: action Webhooks by Zapier › POST; URL = hook URL; payload type JSON.",
            "Headers: `Authorization: Bearer <your token>`.",
            "Make: module HTTP › Make a request; method POST, body type Raw JSON, the same header.",
        ),
        paste="the token you chose",
        notes=("Keys nested as `person__email` are read like `person.email`.",),
    )  # fmt: skip

    def read(self, request: HookRequest) -> Any:
        """Return the payload, keys that a tool folded together taken apart."""
        return payloads.unfolded(super().read(request))
