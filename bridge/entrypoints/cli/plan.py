"""`bridge explain`: what a payload would do, step by step; nothing is written and nothing is sent."""

import json
from pathlib import Path
from typing import Any

import rich_click as click

from bridge.entrypoints.cli.desk import TENANT, Desk, at_desk
from bridge.entrypoints.cli.exits import Exit, Stop


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", required=True, help="Read it as if it came through this source.")
@click.option("--content-type", default="application/json", show_default=True)
@TENANT
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def explain(file: Path, source: str, content_type: str, tenant: str | None, as_json: bool) -> None:
    """Say what the payload in FILE would become: normalized, matched against the mirror, planned by which rule.

    The signature is not looked at: a file has none. Exit code 1 where the payload cannot be read.
    """
    body = file.read_bytes()
    told = at_desk(lambda desk: _explained(desk, body, source, content_type), tenant=tenant)
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        _print(told)
    if told["fault"]:
        raise Stop(Exit.PROBLEMS)


async def _explained(desk: Desk, body: bytes, source: str, content_type: str) -> dict[str, Any]:
    import msgspec

    from bridge.bootstrap import doors_of
    from bridge.connectors.base import PayloadMalformed
    from bridge.domain.delivery import Delivery, HookRequest
    from bridge.domain.ids import DeliveryId, SourceId
    from bridge.pipeline.deciders import ConfiguredDeciders

    doors = doors_of(desk.settings)
    door = doors.get(SourceId(source))
    if door is None:
        raise Stop(Exit.USAGE, f'no source is called "{source}"; there are {", ".join(doors)}')
    headers = (("content-type", content_type),)
    request = HookRequest(method="POST", url=f"/hooks/{source}", headers=headers, body=body)
    told: dict[str, Any] = {"source": source, "fault": "", "event_type": "", "inquiries": [], "skipped": []}
    try:
        identity = door.connector.identify(request, options=door.options)
        delivery = Delivery(
            id=DeliveryId(0),
            tenant_id=door.tenant_id,
            source_id=door.source_id,
            dedup_key=identity.dedup_key,
            event_type=identity.event_type,
            received_at=desk.now,
            request=request,
            verified_by="explain",
            trace_id="",
        )
        normalized = door.connector.normalize(delivery, options=door.options)
    except PayloadMalformed as no:
        return {**told, "fault": f"{no.reason.value}: {no.detail or no.reason.advice.text}"}
    told |= {"event_type": identity.event_type, "dedup_key": identity.dedup_key}
    told["skipped"] = [{"event_type": part.event_type, "reason": part.reason.value} for part in normalized.skipped]
    deciders = ConfiguredDeciders(desk.settings, doors=doors)
    async with desk.database.begin() as tx:
        await tx.execute("SET TRANSACTION READ ONLY")
        asked = [(door.source_id, inquiry) for inquiry in normalized.inquiries]
        matches = await deciders.match(tx, door.tenant_id, asked) if asked else []
        for inquiry, match in zip(normalized.inquiries, matches, strict=True):
            plan = await deciders.plan(tx, delivery, inquiry, match, nonce="", pending={}, now=desk.now)
            told["inquiries"].append(
                {
                    "inquiry": msgspec.to_builtins(inquiry),
                    "match": msgspec.to_builtins(match),
                    "plan": msgspec.to_builtins(plan),
                }
            )
    return told


def _print(told: dict[str, Any]) -> None:
    if told["fault"]:
        click.echo(f"✗ {told['fault']}")
        return
    click.echo(f"normalized: {told['event_type']}, delivery {told['dedup_key']}")
    for part in told["skipped"]:
        click.echo(f"  skipped {part['event_type']}: {part['reason']}")
    for one in told["inquiries"]:
        inquiry, match, plan = one["inquiry"], one["match"], one["plan"]
        click.echo(f"\n{inquiry['type']} {inquiry['key']}")
        for place, origin in inquiry.get("origins", {}).items():
            click.echo(f"  {place:<24} from {origin}")
        click.echo(f"matched: {match['type']}")
        for candidate in match.get("evidence", {}).get("candidates", [])[:3]:
            click.echo(
                f"  customer {candidate.get('customer_id')}  {candidate.get('probability', 0):.4f}  {candidate.get('why_not', '')}"
            )
        click.echo(f"planned: {plan.get('reason', 'processed')}")
        for trial in plan.get("trials", []):
            click.echo(
                f"  {'✓' if trial['applied'] else '-'} {trial['rule']}  {trial.get('why', '')}  {trial.get('at', '')}".rstrip()
            )
        for effect in plan.get("effects", []):
            click.echo(f"  → {json.dumps(effect['command'])}")
        for hold in plan.get("holds", []):
            click.echo(f"  waits for a person: {hold['reason']} {hold.get('detail', '')}")
