"""Tags of customers and locations: change them, and look that up."""

from bridge.domain.command import ChangeTags
from bridge.domain.outcome import Outcome, Succeeded
from bridge.domain.reasons import Reason
from bridge.sending.effects.parties import family
from bridge.sending.effects.wire import Refs, resolve
from bridge.sending.findings import Absent, Finding, Found, LookFailed
from bridge.servicetitan.client import ServiceTitan


async def change(client: ServiceTitan, command: ChangeTags, refs: Refs) -> Outcome:
    """Add and remove tags one by one, only those that are missing or there."""
    party, target = family(client, command.party), resolve(command.target, refs)
    read = await party.get(target)
    if not isinstance(read, Succeeded):
        return read
    stands = set(read.body.tag_type_ids)
    for tag in command.added:
        if tag not in stands:
            outcome = await party.add_tag(target, tag)
            if not isinstance(outcome, Succeeded) and outcome.reason != Reason.CONFLICT:  # somebody was quicker
                return outcome
    for tag in command.removed:
        if tag in stands:
            outcome = await party.remove_tag(target, tag)
            if not isinstance(outcome, Succeeded) and outcome.reason != Reason.NOT_FOUND:
                return outcome
    return Succeeded(status=200, body={})


async def find(client: ServiceTitan, command: ChangeTags, refs: Refs) -> Finding:
    """Tell whether the tags are as wanted."""
    read = await family(client, command.party).get(resolve(command.target, refs))
    if not isinstance(read, Succeeded):
        return LookFailed(outcome=read)
    stands = set(read.body.tag_type_ids)
    return Found() if stands.issuperset(command.added) and stands.isdisjoint(command.removed) else Absent()
