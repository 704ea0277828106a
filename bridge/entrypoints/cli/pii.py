"""`bridge pii`: find, export and erase a person by phone or e-mail."""

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import rich_click as click

from bridge.entrypoints.cli.desk import JSON, TENANT, Desk, Manner, at_desk, show, writes
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


def _find(phone: str, email: str, tenant: str | None, *, rehearse: bool = False) -> "list[Kept]":
    from bridge.operations import privacy

    async def find(desk: Desk) -> "list[Kept]":
        return await privacy.find(
            desk.database, desk.act, tenant_id=desk.tenant_id, subject=_subject(desk, phone, email)
        )

    return at_desk(find, tenant=tenant, rehearse=rehearse)


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
@JSON
def export(phone: str, email: str, tenant: str | None, as_json: bool) -> None:
    """Print everything kept about a person, in clear, always as JSON; this is written down."""
    del as_json
    from bridge.operations import privacy

    async def work(desk: Desk) -> list[dict[str, Any]]:
        return await privacy.export(
            desk.database, desk.act, tenant_id=desk.tenant_id, subject=_subject(desk, phone, email)
        )

    click.echo(json.dumps(at_desk(work, tenant=tenant), indent=2, ensure_ascii=False))


@pii.command()
@_PHONE
@_EMAIL
@writes
def erase(phone: str, email: str, manner: Manner) -> None:
    """Take a person out of everything kept, for good. Needs --reason."""
    from bridge.operations import privacy

    if not manner.reason.strip() and not manner.dry_run:
        raise Stop(Exit.USAGE, "say why: --reason")
    found = _find(phone, email, manner.tenant, rehearse=manner.dry_run)

    async def work(desk: Desk) -> "Done":
        return await privacy.erase(
            desk.database, desk.act, tenant_id=desk.tenant_id, subject=_subject(desk, phone, email)
        )

    reason = manner.reason if manner.reason.strip() else "rehearsal"
    dataclasses.replace(manner, reason=reason).do(work, ask=f"Erase this person from {len(found)} deliveries for good?")
