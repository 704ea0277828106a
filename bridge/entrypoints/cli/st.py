"""`bridge st FAMILY OPERATION`: every read of ServiceTitan's API that the client knows, from a shell; it writes nothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import rich_click as click

from bridge.entrypoints.cli.exits import Exit, Stop

if TYPE_CHECKING:
    from bridge.domain.outcome import Outcome
    from bridge.servicetitan.client import ServiceTitan
    from bridge.servicetitan.operation import BoundOperation, Operation

FLAGS = {
    "includeTotal",
    "excludeAccountingChangesFromModifiedDateRange",
    "withoutCustomer",
    "isProspect",
    "isCaptureSourceForm",
    "isArchived",
    "includeRecentChanges",
    "hasUnusedAppointments",
}
"""Query parameters that are booleans; each has its `--no-` form."""

TITLES = ("name", "tag_name", "source", "value", "text", "summary", "job_number", "tag_type_name")
"""What a person knows a record by, in order of preference."""

UNREACHABLE = {"connect_failed", "connections_busy", "token_unavailable", "answer_timeout", "connection_lost"}


class _Reads(click.RichGroup):
    """A group whose commands come from the client's table, read only when somebody asks for them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [] if ctx.resilient_parsing else sorted(_families())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        operations = _families().get(cmd_name)
        if operations is None:
            return None
        group = click.RichGroup(name=cmd_name, help=_about(cmd_name))
        for name, operation in operations.items():
            group.add_command(_command(name, operation))
        return group


@click.group(cls=_Reads)
def st() -> None:
    """Read ServiceTitan as Bridge sees it, with a tenant's credentials; nothing is written.

    bridge st customers find --phone 5125550142
    """


def _families() -> dict[str, "dict[str, Operation]"]:
    """Return the reads of each family by the names they have in a shell; a list is also called find."""
    from bridge.servicetitan.operations import OPERATIONS

    families: dict[str, dict[str, Operation]] = {}
    for full_name, operation in OPERATIONS.items():
        family, _, name = full_name.partition(".")
        if operation.is_read:
            commands = families.setdefault(_kebab(family), {})
            commands[_kebab(name)] = operation
            if name == "list":
                commands["find"] = operation
    return families


def _about(family: str) -> str:
    from bridge.servicetitan.operations import FAMILIES

    return next((one.__doc__ or "" for one in FAMILIES if _kebab(one.name) == family), "")


def _command(name: str, operation: "Operation") -> click.Command:
    """Return the shell command of a read: its ids are arguments, its query parameters are options."""
    import asyncio

    parameters: list[click.Parameter] = [
        click.Argument([f"id_{index}"], metavar=_kebab(one).upper())
        for index, one in enumerate(operation.own_parameters)
    ]
    for query in operation.query:
        option = f"--{_kebab(query)}"
        declared = [option, f"query_{query}"]
        if query in FLAGS:
            parameters.append(click.Option([f"{option}/--no-{option[2:]}", declared[1]], default=None))
        elif query in operation.choices:
            parameters.append(click.Option(declared, type=click.Choice(operation.choices[query], case_sensitive=False)))
        else:
            parameters.append(click.Option(declared, required=query in operation.required_query))
    parameters += [
        click.Option(["--tenant"], default="", help="The tenant's key or id; needed where the config has several."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print what ServiceTitan answered, in its own names."),
    ]
    if "page" in operation.query:
        parameters.append(click.Option(["--all", "every"], is_flag=True, help="Read every page."))

    def run(*, tenant: str, as_json: bool, every: bool = False, **values: Any) -> None:
        ids = [values[f"id_{index}"] for index in range(len(operation.own_parameters))]
        query = {key.removeprefix("query_"): value for key, value in values.items() if key.startswith("query_")}
        outcome = asyncio.run(_ask(tenant, operation, ids, query, every=every))
        _show(outcome, as_json=as_json)

    return click.RichCommand(
        name=name,
        params=parameters,
        callback=run,
        help=f"{operation.method} {operation.path}\n\nScope: {operation.scope}",
    )


async def _ask(tenant: str, operation: "Operation", ids: list[str], query: dict[str, Any], *, every: bool) -> "Outcome":
    from bridge.servicetitan.exports import collect

    client, close = _client(tenant)
    try:
        call = _bound(client, operation)
        return await collect(call, *ids, query=query) if every else await call(*ids, query=query)
    finally:
        await close()


def _client(tenant: str) -> "tuple[ServiceTitan, Callable[[], Any]]":
    """Return the client of the tenant meant; ends the command where none or several can be meant."""
    from bridge.bootstrap import Clients
    from bridge.entrypoints.cli.roles import settings_or_stop

    settings = settings_or_stop()
    keys = {one.key: one.tenant_id for one in settings.tenants.values()}
    found = [number for key, number in keys.items() if not tenant or tenant in {key, str(number)}]
    if len(found) != 1:
        raise Stop(Exit.USAGE, f"--tenant is one of {', '.join(sorted(keys))}" + (f", not {tenant}" if tenant else ""))
    clients = Clients(settings)
    return clients(found[0]), clients.close


def _bound(client: "ServiceTitan", operation: "Operation") -> "BoundOperation":
    """Return the operation of this client; an app with no restriction reads every provider's bookings instead."""
    family, _, name = operation.name.partition(".")
    if family == "bookings" and client.credentials.booking_provider is None:
        family = "tenant_bookings"
    bound: BoundOperation = getattr(getattr(client, family), name)
    return bound


def _show(outcome: "Outcome", *, as_json: bool) -> None:
    """Print a success; end the command with reason and remedy where it is none."""
    import msgspec

    from bridge.domain.outcome import Succeeded
    from bridge.domain.reasons import advice_for

    if isinstance(outcome, Succeeded):
        if as_json:
            print(msgspec.json.format(msgspec.json.encode(outcome.body), indent=2).decode())
        else:
            _print(outcome.body)
        return
    advice = advice_for(outcome.reason)
    lines = [f"{outcome.reason}: {advice.text}", *([outcome.detail] if outcome.detail else []), advice.remedy]
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(outcome), indent=2).decode())
    code = Exit.UNREACHABLE if outcome.reason in UNREACHABLE else Exit.PROBLEMS
    raise Stop(code, "" if as_json else "\n".join(lines))


def _print(body: Any) -> None:
    rows = body if isinstance(body, tuple) else getattr(body, "data", None)
    if rows is None:
        _print_record(body)
        return
    for row in rows:
        print(_line(row))
    more = getattr(body, "has_more", False)
    total = getattr(body, "total_count", None)
    print(f"{len(rows)} rows" + (f" of {total}" if total is not None else "") + (", more to come" if more else ""))
    if getattr(body, "continue_from", None):
        print(f"continue with --from {body.continue_from}")


def _line(row: Any) -> str:
    title = next((value for name in TITLES if (value := getattr(row, name, None))), "")
    address = getattr(row, "address", None)
    place = ", ".join(filter(None, (address.street, address.city, address.zip))) if address else ""
    kind = getattr(row, "status", None) or getattr(row, "type", None) or ""
    idle = "inactive" if getattr(row, "active", None) is False else ""
    parts = (str(getattr(row, "id", "-")), str(kind), " ".join(str(title).split())[:80], place, idle)
    return "  ".join(part for part in parts if part)


def _print_record(body: Any) -> None:
    if not hasattr(body, "__struct_fields__"):
        print("nothing" if body is None else body)
        return
    for name in body.__struct_fields__:
        value = getattr(body, name)
        if value not in (None, ()):
            print(f"{name:24} {value}")


def _kebab(name: str) -> str:
    spaced = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
    return spaced.replace("_", "-")
