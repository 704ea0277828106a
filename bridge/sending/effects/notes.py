"""Notes on customers, locations and leads: add one, and look it up by the mark it carries."""

from datetime import datetime
from typing import Any

from bridge.domain.command import AddNote
from bridge.domain.ids import EffectKey
from bridge.domain.outcome import Outcome, Succeeded
from bridge.sending.effects.wire import CLOCKS_APART, Refs, is_marked, marked, resolve
from bridge.sending.findings import Absent, Finding, Found, LookFailed
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.exports import collect


async def add(client: ServiceTitan, command: AddNote, key: EffectKey, refs: Refs) -> Outcome:
    """Add the note, with a mark by which it is found again."""
    body: dict[str, Any] = {"text": marked(command.text, key)}
    if command.pin_to_top:
        body["pinToTop"] = True
    outcome = await _family(client, command).create_note(resolve(command.target, refs), body=body)
    return Succeeded(status=outcome.status, body={"": outcome.body.id}) if isinstance(outcome, Succeeded) else outcome


async def find(client: ServiceTitan, command: AddNote, key: EffectKey, refs: Refs, *, sent_at: datetime) -> Finding:
    """Tell whether the note of this effect exists."""
    query = {"createdOnOrAfter": sent_at - CLOCKS_APART}
    outcome = await collect(_family(client, command).notes, resolve(command.target, refs), query=query)
    if not isinstance(outcome, Succeeded):
        return LookFailed(outcome=outcome)
    mine = [row for row in outcome.body if is_marked(row.text, key)]
    return Found(ids={"": mine[0].id}) if mine else Absent()


def _family(client: ServiceTitan, command: AddNote) -> Any:
    return {"customer": client.customers, "location": client.locations, "lead": client.leads}[command.on]
