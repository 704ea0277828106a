"""`bridge explain`: what one payload would become, step by step, with the requests that would go out; nothing is written or sent."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from bridge.entrypoints.cli.desk import TENANT, Desk, at_desk
from bridge.entrypoints.cli.exits import Exit, Stop
from bridge.entrypoints.cli.plan import config_at

if TYPE_CHECKING:
    from datetime import datetime

    from bridge.domain.delivery import Delivery, HookRequest
    from bridge.intake.gate import Door
    from bridge.settings import Settings

_SHOWN = 60
"""Characters of a value that are shown beside its origin; the request below shows it whole."""
_MASK = "***"
"""Stands where a stored request held a secret itself."""


@click.command()
@click.argument("what", metavar="FILE|DELIVERY")
@click.option("--source", default="", help="Read a file as if it came through this source.")
@click.option("--content-type", default="application/json", show_default=True)
@click.option(
    "--header", "headers", multiple=True, metavar="NAME: VALUE", help="A header a file came with; repeatable."
)
@click.option("--config", "place", default=None, type=click.Path(exists=True, path_type=Path), help="Another config.")
@TENANT
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def explain(
    what: str,
    source: str,
    content_type: str,
    headers: tuple[str, ...],
    place: Path | None,
    tenant: str | None,
    as_json: bool,
) -> None:
    """Say what a payload would become: verified how, normalized, matched against the mirror, planned by which rule.

    It is a file, or a stored delivery by its number. A delivery is verified as of its receipt, a file now and only with the
    headers it came with. Exit code 1 where the payload cannot be read.
    """
    settings = config_at(place) if place else None
    given = _headers(headers, content_type)
    body = Path(what).read_bytes() if Path(what).is_file() else None
    if body is None and not what.isdecimal():
        raise Stop(Exit.USAGE, f"{what} is neither a file nor the number of a delivery")
    if body is not None and not source:
        raise Stop(Exit.USAGE, "say through which --source the file is read")

    async def told_of(desk: Desk) -> dict[str, Any]:
        used = settings or desk.settings
        if body is None:
            stored = await stored_delivery(desk, int(what))
            return await _explained(desk, used, stored.request.body, str(stored.source_id), (), stored=stored)
        return await _explained(desk, used, body, source, given)

    told = at_desk(told_of, tenant=tenant)
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        _print(told)
    if told["fault"]:
        raise Stop(Exit.PROBLEMS)


async def stored_delivery(desk: Desk, number: int) -> "Delivery":
    """Return a stored delivery; a number that is none ends the command."""
    from bridge.domain.ids import DeliveryId
    from bridge.intake import queue
    from bridge.reports.reading import reading

    async with reading(desk.database) as tx:
        found = (await queue.load(tx, [(desk.tenant_id, DeliveryId(number))])).get(DeliveryId(number))
    if found is None:
        raise Stop(Exit.PROBLEMS, f"there is no delivery {number}")
    return found


async def _explained(
    desk: Desk,
    settings: "Settings",
    body: bytes,
    source: str,
    headers: tuple[tuple[str, str], ...],
    *,
    stored: "Delivery | None" = None,
) -> dict[str, Any]:
    import msgspec

    from bridge.bootstrap import doors_of
    from bridge.connectors.base import PayloadMalformed
    from bridge.domain.delivery import Delivery, HookRequest
    from bridge.domain.ids import DeliveryId, SourceId
    from bridge.entrypoints.rehearsal import requests_of
    from bridge.pipeline.deciders import ConfiguredDeciders
    from bridge.planning.rules import RuleBroken

    doors = doors_of(settings)
    door = doors.get(SourceId(source))
    if door is None:
        raise Stop(Exit.USAGE, f'no source is called "{source}"; there are {", ".join(doors)}')
    request = (
        stored.request if stored else HookRequest(method="POST", url=f"/hooks/{source}", headers=headers, body=body)
    )
    verified = _verified(door, request, now=stored.received_at if stored else desk.now)
    if not all(secret.is_read for secret in settings.sources[door.source_id].secrets):
        verified = "not verified: the secret of its source is not set here"
    if stored and _MASK in f"{request.url} {request.headers}":
        verified = f"not verified again: the secret it came with was not kept; when it came: {stored.verified_by}"
    told: dict[str, Any] = {
        "source": source,
        "verified": verified,
        "fault": "",
        "event_type": "",
        "inquiries": [],
        "skipped": [],
    }
    try:
        identity = door.connector.identify(request, options=door.options)
        delivery = stored or Delivery(
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
    deciders = ConfiguredDeciders(settings, doors=doors)
    async with desk.database.begin() as tx:
        await tx.execute("SET TRANSACTION READ ONLY")
        asked = [(door.source_id, inquiry) for inquiry in normalized.inquiries]
        matches = (await deciders.match(tx, {door.tenant_id: asked}))[door.tenant_id]
        pairs = list(zip(normalized.inquiries, matches, strict=True))
        gathered = (await deciders.gather(tx, {door.tenant_id: pairs}, now=delivery.received_at))[door.tenant_id]
        of = [(delivery, inquiry) for inquiry in normalized.inquiries]
        gathered = await deciders.as_recorded(tx, door.tenant_id, of, gathered)
        for (inquiry, match), known in zip(pairs, gathered, strict=True):
            try:
                plan = await deciders.plan(
                    tx, delivery, inquiry, match, known=known, nonce="", pending={}, now=delivery.received_at
                )
            except RuleBroken as broken:
                plan = broken.plan()
            told["inquiries"].append(
                {
                    "inquiry": msgspec.to_builtins(inquiry),
                    "match": msgspec.to_builtins(match),
                    "plan": msgspec.to_builtins(plan),
                    "requests": {
                        effect.key: msgspec.to_builtins(await requests_of(settings.tenants[door.tenant_id], effect))
                        for effect in (*plan.effects, *(held for hold in plan.holds for held in hold.effects))
                    },
                }
            )
    return told


def _headers(lines: tuple[str, ...], content_type: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of the command line as a request has them."""
    pairs = [line.partition(":") for line in lines]
    if wrong := [name for name, colon, _ in pairs if not colon]:
        raise Stop(Exit.USAGE, f'--header wants "Name: value", not {wrong[0]!r}')
    given = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
    return given if any(name == "content-type" for name, _ in given) else (("content-type", content_type), *given)


def _verified(door: "Door", request: "HookRequest", *, now: "datetime") -> str:
    """Say how a request proves who sent it, or why it does not."""
    from bridge.connectors.base import SignatureInvalid

    if (
        not door.options.unsigned
        and {name for name, _ in request.headers} <= {"content-type"}
        and "?" not in request.url
    ):
        return "not verified: no headers given"
    if door.connector.needs_secret and not door.secrets and not door.options.unsigned:
        return "not verified: the secret of its source is not set here"
    try:
        proof = door.connector.verify(request, secrets=door.secrets, options=door.options, now=now)
    except SignatureInvalid as no:
        return f"not verified: {no.reason.value}: {no.detail or no.reason.advice.text}"
    return f"{proof.strength.value} by {proof}"


def _print(told: dict[str, Any]) -> None:
    click.echo(f"verification: {told['verified']}")
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
            click.echo(f"  {place:<24} {_value(inquiry, place)}  from {origin}")
        _print_match(match)
        click.echo(f"planned: {plan.get('reason', 'processed')}")
        for trial in plan.get("trials", []):
            click.echo(
                f"  {'✓' if trial['applied'] else '-'} {trial['rule']}  {trial.get('why', '')}  {trial.get('at', '')}".rstrip()
            )
        for effect in plan.get("effects", []):
            _print_effect(effect, one["requests"])
        for hold in plan.get("holds", []):
            click.echo(f"  waits for a person: {hold['reason']} {hold.get('detail', '')}".rstrip())
            for effect in hold.get("effects", []):
                _print_effect(effect, one["requests"], sign="… after a yes:")


def _print_match(match: dict[str, Any]) -> None:
    evidence = match.get("evidence", {})
    who = f" customer {match['customer_id']}" if match.get("customer_id") else ""
    sure = "" if match["type"] != "matched" or match.get("may_write") else ", not sure enough to write to it"
    click.echo(f"matched: {match['type']}{who}{sure} {evidence.get('decided_by', '')}".rstrip())
    for candidate in evidence.get("candidates", [])[:3]:
        click.echo(
            f"  customer {candidate.get('customer_id')}  {candidate.get('probability', 0):.4f}  {candidate.get('why_not', '')}".rstrip()
        )
        for one in candidate.get("comparisons", []):
            click.echo(f"    {one['weight']:+6.2f} {one['field']}: {one['level']}")


def _print_effect(effect: dict[str, Any], requests: dict[str, Any], *, sign: str = "→") -> None:
    command = effect["command"]
    click.echo(f"  {sign} {command['type']}, wanted by {effect['rule']}")
    for name, origin in effect.get("origins", {}).items():
        click.echo(f"      {name:<22} {_value(command, name)}  from {origin}")
    for request in requests.get(effect["key"], []):
        click.echo(f"      {request['method']} {request['url']}")
        if request.get("body") is not None:
            click.echo("        " + json.dumps(request["body"], indent=2).replace("\n", "\n        "))
        if request.get("then"):
            click.echo(f"      … {request['then']}")


def _value(tree: Any, place: str) -> str:
    """Return what stands at a dotted place, on one line and not long; of a custom field its wanted value."""
    for part in place.split("."):
        if isinstance(tree, dict) and part in tree:
            tree = tree[part]
        elif isinstance(tree, list | tuple) and part.isdecimal() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            changes = tree.get("changes", []) if isinstance(tree, dict) else []
            tree = next((change["value"] for change in changes if change.get("name") == place), None)
            break
    said = tree if isinstance(tree, str) else json.dumps(tree, ensure_ascii=False)
    said = " ".join(said.split())
    return said if len(said) <= _SHOWN else said[: _SHOWN - 1] + "…"
