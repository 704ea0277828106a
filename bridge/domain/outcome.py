"""What came of one call to ServiceTitan: four answers, each with its reason slug, as data."""

from typing import Any

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a ServiceTitan error answer, kept whole (its `ApiErrorResponse`; every member may be missing in practice)."""

    type: str | None = None
    title: str | None = None
    status: int | None = None
    trace_id: str | None = None
    errors: dict[str, list[str]] = msgspec.field(default_factory=dict)
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class Succeeded(msgspec.Struct, frozen=True, kw_only=True, tag="succeeded"):
    """The effect exists; `body` is the decoded answer, None where ServiceTitan sends none."""

    status: int
    body: Any = None
    reason: str = "ok"


class Rejected(msgspec.Struct, frozen=True, kw_only=True, tag="rejected"):
    """ServiceTitan said no for good: sending the same again cannot help."""

    reason: str
    status: int | None = None
    problem: Problem | None = None
    detail: str = ""


class Deferred(msgspec.Struct, frozen=True, kw_only=True, tag="deferred"):
    """Nothing was done, and later may help.

    `backpressure` marks waits that spend no attempt (429, maintenance, breaker, budget); `pauses_tenant` marks refusals
    of the credentials, after which one probe at a time may go out. `retry_after` is in seconds, None where unsaid.
    """

    reason: str
    retry_after: float | None = None
    backpressure: bool = False
    pauses_tenant: bool = False
    status: int | None = None
    problem: Problem | None = None
    detail: str = ""


class InDoubt(msgspec.Struct, frozen=True, kw_only=True, tag="in_doubt"):
    """Bytes went out and no answer tells what became of them: look before any resend."""

    reason: str
    status: int | None = None
    problem: Problem | None = None
    detail: str = ""


Outcome = Succeeded | Rejected | Deferred | InDoubt
