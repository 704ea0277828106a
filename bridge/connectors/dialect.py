"""The common ground of connectors: verify by rows or shared value, then read, name and say, each a small override."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from bridge.connectors import payloads
from bridge.connectors.base import (
    FETCH_OPTIONS,
    Connector,
    Identity,
    Normalized,
    PayloadMalformed,
    Secret,
    SignatureInvalid,
    Skipped,
    SourceOptions,
    Strength,
    Verified,
    Verifier,
)
from bridge.connectors.credentials import SharedValue, verify_shared_value
from bridge.connectors.extract import Draft, Field, draft_from
from bridge.connectors.extract.slots import map_faults
from bridge.connectors.schemes import Scheme
from bridge.connectors.signatures import verify
from bridge.connectors.usual import usual_check
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import Inquiry
from bridge.domain.reasons import Reason

SHARED = SharedValue()
"""Any place a contractor may put a shared value: for senders that sign nothing."""

UNSIGNED = Verified(scheme="unsigned", secret_name="", strength=Strength.UNSIGNED)


class Dialect(Connector):
    """A connector told by its rows: `schemes` sign, `shared` is the token of senders (or of their products) that do not."""

    schemes: ClassVar[tuple[Scheme, ...]] = ()
    shared: ClassVar[SharedValue | None] = None
    options_known: ClassVar[frozenset[str]] = frozenset()
    """What its `options:` may say, beside `verify` and those of fetches."""
    dedup_window_seconds: ClassVar[int | None] = None
    """Set where a sender gives no id and never redelivers: an equal body later is a new wish."""

    def verify(
        self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions, now: datetime
    ) -> Verified:
        """Prove the sender by the first signature header present, else by a shared value where the sender has none."""
        if options.unsigned and not secrets:
            return UNSIGNED
        rows, shared = self.proofs(options)
        if rows and (shared is None or any(request.header(row.header) is not None for row in rows)):
            tolerance = options.tolerance_seconds
            return verify(request, rows, secrets=secrets, now=now, tolerance=tolerance)
        if shared is None:
            raise SignatureInvalid(Reason.SIGNATURE_MISSING, "the source names no scheme")
        return verify_shared_value(
            request,
            shared,
            secrets=secrets,
            sub_path=payloads.sub_path(request),
            from_body=(*self.body_tokens(request), *self._tokens_at(request, shared.body)),
        )

    def verifier(self, *, secrets: tuple[Secret, ...], options: SourceOptions) -> Verifier:
        """Return `verify` for one source, with a shortcut for the usual genuine request."""
        thorough = super().verifier(secrets=secrets, options=options)
        is_own = type(self).verify is not Dialect.verify or (options.unsigned and not secrets)
        rows = () if is_own else self.proofs(options)[0]
        usual = usual_check(rows, secrets=secrets, tolerance=options.tolerance_seconds)
        if usual is None:
            return thorough
        return lambda request, now: usual(request, now) or thorough(request, now)

    def proofs(self, options: SourceOptions) -> tuple[tuple[Scheme, ...], SharedValue | None]:
        """Return the rows and the shared value that count for a source; its `verify:` option replaces the sender's own."""
        given = options.options.get("verify")
        return (self.schemes, self.shared) if given is None else proofs_from(given)

    def _tokens_at(self, request: HookRequest, paths: tuple[str, ...]) -> Iterator[str]:
        """Yield the texts at the configured paths of a body that is not believed yet; an unreadable one yields none."""
        if not paths:
            return
        try:
            payload = payloads.read(request)
        except PayloadMalformed:
            return
        for path in paths:
            yield payloads.text(payloads.at(payload, path))

    def body_tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the tokens a sender puts into the body, read without believing the rest."""
        del request
        return ()

    def prove(self, request: HookRequest, *, secret: Secret, options: SourceOptions, now: datetime) -> HookRequest:
        """Return a sample as the sender would prove it: signed by the first row we can sign with, else with the shared value."""
        from bridge.connectors.signing import shared_request, signed_request  # noqa: PLC0415 - samples and tests alone sign

        rows, shared = self.proofs(options)
        row = next((row for row in rows if not row.is_asymmetric and not (row.when and not row.when[1])), None)
        if row is not None:
            return signed_request(request, row, secret=secret, now=now)
        return shared_request(request, shared or SHARED, secret=secret)

    def read(self, request: HookRequest) -> Any:
        """Return the payload as plain data."""
        return payloads.read_object(request)

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return the sender's name of this kind of message."""
        raise NotImplementedError

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the sender's id that survives a redelivery, empty where there is none: the body's hash stands in."""
        del payload, request
        return ""

    def identify(self, request: HookRequest, *, options: SourceOptions) -> Identity:
        """Name the delivery by the sender's stable id, else by the hash of its body."""
        del options
        payload = self.read(request)
        key = payloads.text(self.dedup_of(payload, request))[:200]
        return Identity(
            dedup_key=key or body_hash(request),
            event_type=payloads.text(self.event_of(payload, request))[:100] or "unknown",
            window_seconds=None if key else self.dedup_window_seconds,
        )

    def normalize(self, delivery: Delivery, *, options: SourceOptions) -> Normalized:
        """Say what a handled message asks for; others are skipped with their reason."""
        standing = self.standing(delivery.event_type)
        if standing is not Reason.PROCESSED:
            return Normalized(skipped=(Skipped(event_type=delivery.event_type, reason=standing),))
        said = self.say(self.read(delivery.request), delivery, options)
        return said if isinstance(said, Normalized) else Normalized(inquiries=tuple(said))

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized | Iterable[Inquiry]:
        """Return the inquiries of a payload of a handled kind."""
        raise NotImplementedError

    def draft(self, fields: Iterable[Field], payload: Any, delivery: Delivery, options: SourceOptions) -> Draft:
        """Return what fields come to, the config's mapping applied."""
        return draft_from(
            fields, options=options, context=context_of(payload, delivery) if options.map or options.defaults else None
        )

    def faults(self, *, secrets: tuple[Secret, ...], options: SourceOptions) -> tuple[str, ...]:
        """Return what is wrong with a source's options: secret, mapping, scheme."""
        found = [*super().faults(secrets=secrets, options=options), *map_faults(options)]
        known = {"verify", *FETCH_OPTIONS, *self.options_known}
        found += [
            f"options.{name}: unknown; known are {', '.join(sorted(known))}"
            for name in options.options
            if name not in known
        ]
        given = options.options.get("verify")
        if given is not None:
            try:
                proofs_from(given)
            except (PayloadMalformed, SignatureInvalid, msgspec.ValidationError) as error:
                found.append(f"options.verify: {error}")
        return tuple(found)


def proofs_from(given: Any) -> tuple[tuple[Scheme, ...], SharedValue | None]:
    """Return the rows or shared value a `verify:` option describes; raise msgspec.ValidationError where it is neither."""
    from bridge.connectors.schemes import PRESETS  # noqa: PLC0415 - most sources name no scheme of their own

    if isinstance(given, str):
        given = {"preset": given}
    if not isinstance(given, dict):
        raise msgspec.ValidationError("expected an object: `preset:`, `shared:` or the parts of a scheme")
    if "preset" in given:
        rows = PRESETS.get(str(given["preset"]))
        if rows is None:
            raise msgspec.ValidationError(f"unknown preset {given['preset']!r}; known are {', '.join(sorted(PRESETS))}")
        return rows, None
    if "shared" in given:
        return (), msgspec.convert(given["shared"] or {}, SharedValue)
    row = msgspec.convert({"name": "hmac", **given}, Scheme)
    return (
        msgspec.structs.replace(
            row, header=row.header.lower(), timestamp=row.timestamp.lower(), id_header=row.id_header.lower()
        ),
    ), None


def body_hash(request: HookRequest) -> str:
    """Return the name of a request without an id: the hash of its body, of a GET the hash of its URL."""
    return "sha256:" + hashlib.sha256(request.body or request.url.encode()).hexdigest()


def context_of(payload: Any, delivery: Delivery) -> dict[str, Any]:
    """Return what a `map:` expression may read; never the headers, which hold credentials."""
    fetched = {}
    for answer in delivery.fetched:
        try:
            fetched[answer.name] = payloads.decode_json(answer.body)
        except PayloadMalformed:
            fetched[answer.name] = None
    return {
        "payload": payload,
        "query": payloads.query(delivery.request),
        "event": delivery.event_type,
        "fetched": fetched,
    }


def fetched_json(delivery: Delivery, name: str) -> tuple[int, Any] | None:
    """Return status and data of what was fetched under a name; None where nothing was, data None where it is no JSON."""
    answer = next((found for found in delivery.fetched if found.name == name), None)
    if answer is None:
        return None
    try:
        return answer.status, payloads.decode_json(answer.body)
    except PayloadMalformed:
        return answer.status, None


def wish(draft: Draft, event_type: str, **known: Any) -> Normalized:
    """Return the booking inquiry of a draft, or why it is none: a form in which nobody wrote anything asks for nothing.

    One that names nobody but says something is an inquiry all the same: planning holds it for a person to read.
    """
    inquiry = draft.booking(**known)
    person = inquiry.person
    said = inquiry.message or inquiry.service or inquiry.preferred_time or inquiry.consent or inquiry.answers
    if not (person.display_name or person.phones or person.emails or person.address or said):
        return skipped(event_type, Reason.PERSON_MISSING, known["key"])
    return Normalized(inquiries=(inquiry,))


def skipped(event_type: str, reason: Reason, key: str = "") -> Normalized:
    """Return a message that asks for nothing, with its reason."""
    return Normalized(skipped=(Skipped(event_type=event_type, reason=reason, key=key),))
