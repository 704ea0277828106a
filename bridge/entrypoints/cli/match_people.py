"""`bridge match samples|judge|certify|train|use`: people's judgement of matches, and what it allows."""

from typing import TYPE_CHECKING

import rich_click as click

from bridge.entrypoints.cli.desk import JSON, REASON, TENANT, Desk, at_desk, show, tell
from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.matching.certifying import Certificate, Sample
    from bridge.matching.training import Training
    from bridge.operations.audit import Done


@click.command()
@click.option("--draw", type=click.IntRange(1, 20_000), default=None, help="Draw so many more at random first.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@TENANT
@JSON
def samples(draw: int | None, limit: int, tenant: str | None, as_json: bool) -> None:
    """List matches that wait for a person's judgement; the people are shown, for one must see them to judge."""
    from bridge.matching import certifying
    from bridge.operations import audit
    from bridge.operations import matching as operation

    async def find(desk: Desk) -> "list[Sample]":
        if draw is not None:
            done = await operation.draw(desk.database, desk.act, tenant_id=desk.tenant_id, count=draw)
            click.echo(done.text, err=True)
        await audit.reveal(desk.database, desk.act, tenant_id=desk.tenant_id, subject="match_samples")
        async with desk.database.begin() as tx:
            return await certifying.waiting(tx, desk.tenant_id, limit=limit)

    show(at_desk(find, tenant=tenant), as_json=as_json, line=_line)


def _line(sample: "Sample") -> str:
    """Return a sample as two lines: who asked, and who they were taken for."""
    asked = "(the decision is gone)"
    if sample.inquiry is not None:
        person = sample.inquiry.person
        name = person.name or f"{person.given_name} {person.surname}".strip()
        place = person.address
        parts = (name, *person.phones, *person.emails, place.street or place.raw, place.unit, place.city, place.zip)
        asked = ", ".join(part for part in parts if part)
    return (
        f"{sample.id:>8}  {asked}\n{'':8}  = customer {sample.customer_id} {sample.customer_name}, {sample.address or 'no address'}"
        f"  (P {sample.probability:.5f})"
    )


@click.command()
@click.argument("sample", type=int)
@click.argument("verdict", type=click.Choice(["right", "wrong"]))
@TENANT
@REASON
@JSON
def judge(sample: int, verdict: str, tenant: str | None, reason: str, as_json: bool) -> None:
    """Say that a drawn match is right or wrong; a wrong one is never made again."""
    from bridge.operations import matching as operation

    async def act(desk: Desk) -> "Done":
        region = desk.settings.tenants[desk.tenant_id].phone_region
        return await operation.judge(
            desk.database,
            desk.act,
            tenant_id=desk.tenant_id,
            sample_id=sample,
            is_right=verdict == "right",
            region=region,
        )

    tell(at_desk(act, tenant=tenant, reason=reason), as_json=as_json)


@click.command()
@TENANT
@REASON
@JSON
def certify(tenant: str | None, reason: str, as_json: bool) -> None:
    """Compute the upper bound of the wrong-match rate from judged samples, and how many more are needed.

    Below 1 in 1,000 with 95 % confidence the tenant is certified: records are written to from P 0.99 on instead of 0.999.
    Exits 1 where it is not.
    """
    from bridge.operations import matching as operation

    async def act(desk: Desk) -> "Certificate":
        return await operation.certify(desk.database, desk.act, tenant_id=desk.tenant_id)

    found = at_desk(act, tenant=tenant, reason=reason)
    show(found, as_json=as_json, line=_certificate)
    if not found.is_certified:
        raise Stop(Exit.PROBLEMS)


def _certificate(found: "Certificate") -> str:
    """Return what a certificate says in a sentence or two."""
    seen = (
        f"weights {found.weights_version}: {found.wrong} wrong of {found.reviewed} judged ({found.waiting} wait); with 95 %"
        f" confidence at most {found.upper_bound * 1000:.2f} wrong per 1,000"
    )
    if found.is_certified:
        return f"certified: {seen}"
    return f"not certified: {seen}\n{found.needed:,} more judged right are needed for less than {found.most_wrong * 1000:g} per 1,000"


@click.command()
@click.argument("version")
@TENANT
@REASON
@JSON
def use(version: str, tenant: str | None, reason: str, as_json: bool) -> None:
    """Put trained weights in force by their VERSION; `shipped-1` goes back to the shipped ones."""
    from bridge.operations import matching as operation

    async def act(desk: Desk) -> "Done":
        return await operation.use_weights(desk.database, desk.act, tenant_id=desk.tenant_id, version=version)

    tell(at_desk(act, tenant=tenant, reason=reason), as_json=as_json)


@click.command()
@TENANT
@REASON
@JSON
def train(tenant: str | None, reason: str, as_json: bool) -> None:
    """Fit weights to the tenant's mirror and recent inquiries, store them, and show what they would change.

    Nothing is used until `bridge match use VERSION`.
    """
    from bridge.domain.match import MatchSettings
    from bridge.matching.training import Training
    from bridge.operations import matching as operation

    async def act(desk: Desk) -> "Training | Done":
        one = desk.settings.tenants[desk.tenant_id]
        settings = MatchSettings(
            auto=one.thresholds.auto,
            new=1 - one.thresholds.review,
            is_shadow=one.thresholds.shadow,
            region=one.phone_region,
            trusts_fictional=one.is_simulator,
        )
        return await operation.train(desk.database, desk.act, tenant_id=desk.tenant_id, settings=settings)

    found = at_desk(act, tenant=tenant, reason=reason)
    if isinstance(found, Training):
        show(found, as_json=as_json, line=_training)
    else:
        tell(found, as_json=as_json)


def _training(found: "Training") -> str:
    """Return what a fit would change, a line for each."""
    lines = [
        f"{found.version}: learnt from {found.customers:,} customers and {found.inquiries:,} recent inquiries",
        f"{len(found.weights)} weights would change by half a bit or more against {found.compared_with}:",
        *(f"  {one.field} {one.level}: {one.before:+.1f} to {one.after:+.1f} bits" for one in found.weights),
        f"{found.verdicts_changed:,} of {found.inquiries:,} recorded verdicts would change",
        *(f"  {number:,}  {change}" for change, number in found.transitions.items()),
        f"Stored, not used; `bridge match use {found.version}` puts it in force.",
    ]
    return "\n".join(lines)
