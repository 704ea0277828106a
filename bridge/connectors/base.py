"""What a connector is: it proves who sent a request, names it, and says in our words what it asks for. All pure.

A connector never sees the network, the database or the clock. One module per sender subclasses `Connector`; the
defaults here are those of a sender without handshake, without a wish for a special answer and without thin payloads.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import msgspec

from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import Inquiry
from bridge.domain.reasons import Reason

PLACEHOLDERS = frozenset(
    {"no-secret-provided", "", "n/a", "na", "none", "null", "nil", "undefined", "changeme", "change-me", "change_me"}
    | {"todo", "tbd", "placeholder", "secret-here", "whsec_", "whpk_", "whsk_", "false", "true", "-", ":"}
)
"""Values that stand where a secret should be; Cal.com sends the first of these words as its signature."""


class SignatureInvalid(Exception):
    """The request is not believed; `reason` is the slug, `detail` says where to look and holds no secret."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


class PayloadMalformed(Exception):
    """The body is believed and cannot be read."""

    def __init__(self, detail: str = "", *, reason: Reason = Reason.PAYLOAD_MALFORMED) -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


def is_placeholder(value: str) -> bool:
    """Tell whether a text stands where a secret should be: empty, `N/A`, an unset `${VARIABLE}`, control characters."""
    text = value.strip()
    return text.lower() in PLACEHOLDERS or (text.startswith(("${", "<")) and text.endswith(("}", ">")))


class Secret(msgspec.Struct, frozen=True):
    """A usable secret with the name under which its use is counted; empty and placeholder values are refused here."""

    name: str
    value: str

    def __post_init__(self) -> None:
        """Refuse what cannot be a secret, so that no comparison can ever succeed against it."""
        if is_placeholder(self.value):
            raise SignatureInvalid(Reason.SECRET_UNUSABLE, f"secret {self.name!r} is empty or a placeholder")

    def __repr__(self) -> str:
        """Name the secret and hide its value: reprs reach logs and tracebacks."""
        return f"Secret(name={self.name!r}, value=…)"


class Strength(StrEnum):
    """How much a verification proves."""

    VERIFIED = "verified"
    """The bytes were signed by somebody who holds the key."""
    AUTHENTICATED = "authenticated"
    """The caller knew a shared value; the bytes themselves are not covered."""
    UNSIGNED = "unsigned"
    """Nothing was proved; the config says `unsigned: true`."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """How a request was believed: by which scheme, with which secret (by name), how strongly."""

    scheme: str
    secret_name: str
    strength: Strength = Strength.VERIFIED

    def __str__(self) -> str:
        """Return the text a delivery keeps as `verified_by`."""
        return f"{self.scheme}:{self.secret_name}" if self.secret_name else self.scheme


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What makes two requests the same delivery, and which kind of message it is."""

    dedup_key: str
    event_type: str
    window_seconds: int | None = None
    """Where the key is a mere hash of a sender that never redelivers: how long it counts. None counts for ever."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer a sender expects; where the body is ours, intake fills `{delivery_id}` in."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    media_type: str = "text/plain; charset=utf-8"


class Fetch(msgspec.Struct, frozen=True, kw_only=True):
    """A request that would complete a thin payload, described and not made: `hydration/` performs it.

    `auth` names the credential that the source's `hydrate:` block resolves. `name` is unique within a delivery and names the
    answer. `expect` are the statuses that count as an answer worth keeping (404 says that the record is gone).
    """

    name: str
    url: str
    auth: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    auth_style: str = "bearer"
    """bearer | query:NAME | header:NAME | scheme:NAME (another word than Bearer)"""
    expect: tuple[int, ...] = (200, 404, 410)


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a delivery that asks for nothing of ours: ignored on purpose, or of a kind never seen."""

    event_type: str
    reason: Reason
    key: str = ""


class Normalized(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery says in our words; a batch may hold inquiries and skipped parts side by side."""

    inquiries: tuple[Inquiry, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def reason(self) -> Reason:
        """The slug of the whole: processed where anything is asked, else unsupported before ignored."""
        if self.inquiries:
            return Reason.PROCESSED
        reasons = {part.reason for part in self.skipped}
        other = reasons - {Reason.EVENT_IGNORED, Reason.EVENT_UNSUPPORTED}
        if other:
            return min(other)
        return Reason.EVENT_UNSUPPORTED if Reason.EVENT_UNSUPPORTED in reasons else Reason.EVENT_IGNORED


FETCH_OPTIONS = frozenset({"allowed_hosts", "fetch_url", "fetch_max_bytes", "fetch_per_minute"})
"""What `options:` of any source may say of its fetches."""


class Hydrate(msgspec.Struct, frozen=True, kw_only=True):
    """How a thin source's records are fetched: which credential, and where, if not at the sender's own host.

    `base_url` replaces scheme and host of every fetch (a stand-in, a proxy); `hosts` allows more hosts than the sender's own;
    `allow_private` permits addresses of a private network, for local stand-ins alone.
    """

    auth: str = "token"
    base_url: str = ""
    hosts: tuple[str, ...] = ()
    allow_private: bool = False
    max_bytes: int = 1_048_576
    per_minute: int = 120


class SourceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the config says about one source, as a connector may see it (never its secrets).

    `options` is the connector's own block; `map` are expressions by target field, `defaults` plain values for fields
    that stayed empty. `public_url` is the hook URL as the sender knows it. `country` reads national phone numbers.
    """

    options: dict[str, Any] = {}
    map: dict[str, str] = {}
    defaults: dict[str, Any] = {}
    public_url: str = ""
    unsigned: bool = False
    max_bytes: int = 1_048_576
    tolerance_seconds: int = 300
    country: str = "US"
    time_zone: str = "America/New_York"
    hydrate: Hydrate | None = None
    """None where the source names no credential: then nothing is fetched."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a sender that its page and the table of all connectors show."""

    title: str
    family: str
    """form | ads | marketplace | calls | scheduler | crm | marketing | generic | servicetitan"""
    signature: str
    dedup: str
    retries: str
    answer: str = "202 JSON"
    hydration: str = "no"
    setup: tuple[str, ...] = ()
    """Where to click in the sender's own pages, one step per line."""
    paste: str = ""
    """Which value of the sender becomes the source's secret."""
    notes: tuple[str, ...] = ()
    more: str = ""
    """Further sections of the page, in Markdown."""
    guessed: tuple[str, ...] = ()
    """What is not proved by a captured request or the sender's own documents, and how to configure it."""


Verifier = Callable[[HookRequest, datetime], Verified]
"""Proves who sent the raw bytes to one source at a time, or raises SignatureInvalid."""


class Connector(ABC):
    """One sender's dialect."""

    kind: ClassVar[str]
    about: ClassVar[About]
    content_types: ClassVar[frozenset[str]] = frozenset({"application/json"})
    methods: ClassVar[frozenset[str]] = frozenset({"POST"})
    handled: ClassVar[frozenset[str]]
    ignored: ClassVar[frozenset[str]] = frozenset()
    hosts: ClassVar[frozenset[str]] = frozenset()
    """The sender's own API hosts: hydration goes nowhere else."""
    needs_secret: ClassVar[bool] = True
    """False where the keys are published by the sender and come with the connector."""

    @property
    def title(self) -> str:
        """The sender's name as people write it."""
        return self.about.title

    def handshake(self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions) -> Reply | None:
        """Return the answer to a set-up probe, None where the request is none; nothing of a probe is stored."""
        del request, secrets, options
        return None

    @abstractmethod
    def verify(
        self, request: HookRequest, *, secrets: tuple[Secret, ...], options: SourceOptions, now: datetime
    ) -> Verified:
        """Prove who sent the raw bytes, or raise SignatureInvalid."""

    def verifier(self, *, secrets: tuple[Secret, ...], options: SourceOptions) -> Verifier:
        """Return `verify` for one source, with what can be prepared once prepared."""

        def verify(request: HookRequest, now: datetime) -> Verified:
            return self.verify(request, secrets=secrets, options=options, now=now)

        return verify

    @abstractmethod
    def identify(self, request: HookRequest, *, options: SourceOptions) -> Identity:
        """Name the delivery and its kind, after verify; raise PayloadMalformed where the body cannot be read."""

    def reply(self, identity: Identity, *, redelivered: bool, options: SourceOptions) -> Reply | None:
        """Return the answer this sender counts as success, None for the house answer (202 JSON)."""
        del identity, redelivered, options
        return None

    def prove(self, request: HookRequest, *, secret: Secret, options: SourceOptions, now: datetime) -> HookRequest:
        """Return a sample as the sender would prove it; for `bridge send`, the demo and the tests."""
        raise NotImplementedError

    def scrub(self, request: HookRequest) -> HookRequest:
        """Return what may be stored of a believed request: the same, unless its body carries a live credential."""
        return request

    def fetches(self, delivery: Delivery, *, options: SourceOptions) -> tuple[Fetch, ...]:
        """Describe what a thin payload only names; empty for a payload that says everything."""
        del delivery, options
        return ()

    @abstractmethod
    def normalize(self, delivery: Delivery, *, options: SourceOptions) -> Normalized:
        """Say in our words what the delivery asks for; raise PayloadMalformed where it cannot be read."""

    def faults(self, *, secrets: tuple[Secret, ...], options: SourceOptions) -> tuple[str, ...]:
        """Return what is wrong with a source's options, one sentence each, for `bridge check`."""
        if self.needs_secret and not secrets and not options.unsigned:
            return ("no secret is set: give `secrets:` or say `unsigned: true`",)
        return ()

    def standing(self, event_type: str) -> Reason:
        """Tell whether an event type is handled (PROCESSED), ignored or unsupported."""
        if event_type in self.handled or "*" in self.handled:
            return Reason.PROCESSED
        return Reason.EVENT_IGNORED if event_type in self.ignored else Reason.EVENT_UNSUPPORTED
