"""`bridge pii`: find, export and erase a person by phone or e-mail."""

import json
from typing import TYPE_CHECKING, Any

import rich_click as click

from bridge.entrypoints.cli.desk import DRY_RUN, JSON, REASON, TENANT, YES, Desk, at_desk, show
from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.operations.audit import Done
    from bridge.operations.privacy import Kept, Subject

_PHONE = click.option("--phone", default="", help="A phone number in any form.")
_EMAIL = click.option("--email", default="", help="An e-mail address.")


def _subject(desk: Desk, phone: str, email: str) -> "Subject":
    from bridge.operations import privacy

    found = privacy.subject_of(phone=phone, email=email, region=desk.local.region)
    if found is None:
        raise Stop(Exit.USAGE, "say who: --phone or --email, one that can be read")
    return found


@click.group()
def pii() -> None:
    """Find, export and erase a person's data."""


def _find(phone: str, email: str, tenant: str | None) -> "list[Kept]":
    from bridge.operations import privacy

    async def find(desk: Desk) -> "list[Kept]":
        return await privacy.find(
            desk.database, desk.act, tenant_id=desk.tenant_id, subject=_subject(desk, phone, email)
        )

    return at_desk(find, tenant=tenant)


@pii.command("find")
@_PHONE
@_EMAIL
@TENANT
@JSON
def find_(phone: str, email: str, tenant: str | None, as_json: bool) -> None:
    """List the deliveries that speak of a person."""
    show(
        _find(phone, email, tenant),
        as_json=as_json,
        line=lambda one: f"{one.delivery_id:>8}  {one.received_at:%Y-%m-%d %H:%M}  {one.source_id}",
    )


@pii.command()
@_PHONE
@_EMAIL
@TENANT
def export(phone: str, email: str, tenant: str | None) -> None:
    """Print everything kept about a person, in clear, as JSON; this is written down."""
    from bridge.operations import privacy

    async def work(desk: Desk) -> list[dict[str, Any]]:
        return await privacy.export(
            desk.database, desk.act, tenant_id=desk.tenant_id, subject=_subject(desk, phone, email)
        )

    click.echo(json.dumps(at_desk(work, tenant=tenant), indent=2, ensure_ascii=False))


@pii.command()
@_PHONE
@_EMAIL
@TENANT
@REASON
@DRY_RUN
@YES
@JSON
def erase(phone: str, email: str, tenant: str | None, reason: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Take a person out of everything kept. Needs --reason."""
    from bridge.operations import privacy

    found = _find(phone, email, tenant)
    if dry_run:
        show(found, as_json=as_json, line=lambda one: f"would erase from {one.delivery_id}")
        return
    if not reason.strip():
        raise Stop(Exit.USAGE, "say why: --reason")
    if not yes:
        click.confirm(f"Erase this person from {len(found)} deliveries for good?", abort=True)

    async def work(desk: Desk) -> "Done":
        return await privacy.erase(
            desk.database, desk.act, tenant_id=desk.tenant_id, subject=_subject(desk, phone, email)
        )

    done = at_desk(work, tenant=tenant, reason=reason)
    click.echo(json.dumps({"text": done.text, "refusal": done.refusal, "count": done.count}) if as_json else done.text)
    if not done.is_done:
        raise Stop(Exit.REFUSED)
