"""`bridge retry` and `bridge replay`: the same messages again, or the stored delivery through today's config."""

import rich_click as click

from bridge.entrypoints.cli.deliveries import _find
from bridge.entrypoints.cli.desk import DRY_RUN, JSON, REASON, TENANT, YES, Desk, at_desk, sure, tell
from bridge.entrypoints.cli.exits import Exit, Stop


@click.command()
@click.argument("what")
@TENANT
@REASON
@YES
@DRY_RUN
@JSON
def retry(what: str, tenant: str | None, reason: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Send again what failed of a delivery (its number) or of every delivery a search finds; decisions stay as they are."""
    _each(what, tenant, reason, yes=yes, dry_run=dry_run, as_json=as_json, verb="retry", force=False)


@click.command()
@click.argument("what")
@click.option(
    "--force", is_flag=True, help="Make effects anew although they were made: under a nonce, with a --reason."
)
@TENANT
@REASON
@YES
@DRY_RUN
@JSON
def replay(what: str, force: bool, tenant: str | None, reason: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Run a stored delivery (its number), or every one a search finds, through today's config; done work is a no-op."""
    if force and not reason:
        raise Stop(Exit.REFUSED, "--force makes effects a second time: say --reason")
    _each(what, tenant, reason, yes=yes, dry_run=dry_run, as_json=as_json, verb="replay", force=force)


def _each(
    what: str, tenant: str | None, reason: str, *, yes: bool, dry_run: bool, as_json: bool, verb: str, force: bool
) -> None:
    from bridge.domain.ids import DeliveryId
    from bridge.operations import deliveries
    from bridge.operations.audit import Done

    async def ids(desk: Desk) -> list[int]:
        if what.isdigit():
            return [int(what)]
        return [row.id for row in (await _find(desk, what, 1000)).items]

    found = at_desk(ids, tenant=tenant)
    if dry_run:
        tell(
            Done(text=f"{len(found)} would be touched: {', '.join(map(str, found[:20]))}", count=len(found)),
            as_json=as_json,
        )
        return
    if len(found) != 1:
        sure(f"{verb.capitalize()} {len(found)} deliveries?", yes=yes)

    async def act(desk: Desk) -> Done:
        done = Done(text="nothing matches", refusal="unknown")
        count = 0
        for number in found:
            if verb == "retry":
                done = await deliveries.retry(
                    desk.database, desk.act, tenant_id=desk.tenant_id, delivery_id=DeliveryId(number)
                )
            else:
                done = await deliveries.replay(
                    desk.database, desk.act, tenant_id=desk.tenant_id, delivery_id=DeliveryId(number), force=force
                )
            count += done.is_done
        return done if len(found) <= 1 else Done(text=f"{count} of {len(found)}", count=count)

    tell(at_desk(act, tenant=tenant, reason=reason), as_json=as_json)
