"""The tables of `docs/servicetitan.md`, made from the code: what each answer means, and which scopes an app needs.

`python -m bridge.servicetitan.guide` prints them; a test holds the page against them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx

from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import advice_for
from bridge.servicetitan.classify import Answered, classify, classify_token
from bridge.servicetitan.operation import Operation
from bridge.servicetitan.operations import FAMILIES, OPERATIONS

NOW = datetime(2026, 1, 1, tzinfo=UTC)

WRITE = OPERATIONS["bookings.create"]
READ = OPERATIONS["bookings.get"]


def answers() -> Iterator[tuple[str, Answered | Exception]]:
    """Yield one of each kind of answer, under the name a person knows it by."""
    yield "200", httpx.Response(200, json={"id": 1})
    yield "200, body empty", httpx.Response(200)
    yield "200, body broken or HTML", httpx.Response(200, html="<html>")
    yield "3xx", httpx.Response(302)
    yield "400, 422", httpx.Response(400)
    yield "401, again after a new token", httpx.Response(401)
    yield "403", httpx.Response(403)
    yield "404", httpx.Response(404)
    yield "408", httpx.Response(408)
    yield "409, title names something not found", httpx.Response(409, json={"title": "Customer not found"})
    yield "409, title speaks of maintenance", httpx.Response(409, json={"title": "Suspended for maintenance"})
    yield "409, any other title", httpx.Response(409, json={"title": "Already tagged"})
    yield "425, 429", httpx.Response(429)
    yield "other 4xx", httpx.Response(405)
    yield "5xx", httpx.Response(502)
    yield "no connection", httpx.ConnectError("refused")
    yield "no free connection", httpx.PoolTimeout("busy")
    yield "sent, no answer in time", httpx.ReadTimeout("silent")
    yield "sent, connection lost", httpx.ReadError("reset")


def outcome_table() -> str:
    """Return the Markdown table of answers: what a write and a read make of each, the reason and the remedy."""
    lines = ["| answer | a write | a read | reason | remedy |", "| --- | --- | --- | --- | --- |"]
    for name, answer in answers():
        write, read = (classify(answer, operation=one, now=NOW) for one in (WRITE, READ))
        lines.append(_row(name, write, read))
    contacts = classify(httpx.Response(403), operation=OPERATIONS["contacts.list"], now=NOW)
    lines.append(_row("403 on `/contacts…`", contacts, contacts))
    for name, refusal in (
        ("token: 400, 401, 403", httpx.Response(400)),
        ("token: 429", httpx.Response(429)),
        ("token: anything else", httpx.Response(500)),
    ):
        outcome = classify_token(refusal, now=NOW)
        lines.append(_row(name, outcome, outcome))
    return "\n".join(lines)


def scope_table() -> str:
    """Return the Markdown table of families: what they are, their operations, the scopes these need."""
    lines = ["| family | operations | scopes |", "| --- | --- | --- |"]
    for family in FAMILIES:
        members = [one for one in vars(family).values() if isinstance(one, Operation)]
        names = ", ".join(f"`{one.name.partition('.')[2]}`" for one in members)
        scopes = ", ".join(f"`{scope}`" for scope in dict.fromkeys(one.scope for one in members))
        lines.append(f"| `{family.name}` | {names} | {scopes} |")
    return "\n".join(lines)


def _row(name: str, write: Outcome, read: Outcome) -> str:
    reason = write.reason
    return f"| {name} | {_shown(write)} | {_shown(read)} | `{reason}` | {advice_for(reason).remedy} |"


def _shown(outcome: Outcome) -> str:
    match outcome:
        case Succeeded():
            return "Succeeded"
        case Rejected():
            return "Rejected"
        case InDoubt():
            return "InDoubt"
        case Deferred(pauses_tenant=True):
            return "Deferred, pauses the tenant"
        case Deferred(backpressure=True):
            return "Deferred, spends no attempt"
        case Deferred():
            return "Deferred"


if __name__ == "__main__":
    print(outcome_table(), scope_table(), sep="\n\n")  # noqa: T201 - it is there to print
