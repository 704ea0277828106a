"""The control API under `/_simulator/`: the ledger, the log, faults, time, tenants, edits by hand, webhooks."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import FromQuery, JSONBody, QueryParameter

from bridge.simulator.faults import Fault, profile
from bridge.simulator.generator import ATTACHED, Town, attach
from bridge.simulator.hooks import Subscription
from bridge.simulator.openapi import document
from bridge.simulator.operator import ACTIONS
from bridge.simulator.state import Simulator
from bridge.simulator.switches import Switches


class Tenant(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A tenant with one connected app; `bookingProvider` null means "No Restriction"."""

    tenant: int
    client_id: str
    client_secret: str
    app_key: str
    booking_provider: int | None = 501
    scopes: list[str] | None = None
    name: str = ""


class Edit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An action of a person in ServiceTitan, with its arguments by name."""

    tenant: int
    action: str
    arguments: dict[str, Any]


class Population(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How many made-up customers a tenant shall have."""

    tenant: int
    customers: int
    seed: int = 0


class Profile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The name of a profile of faults."""

    name: str


class Occurrence(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The `userassignedid` of an event."""

    occurrence: str


class Advance(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Seconds by which the simulator's time moves forward."""

    seconds: float


def _simulator(request: Request[Any, Any, Any]) -> Simulator:
    simulator: Simulator = request.app.state.simulator
    return simulator


@get("/_simulator/ledger", sync_to_thread=False)
def read_ledger(  # noqa: PLR0913, PLR0917 - one query parameter for each column of the ledger
    request: Request[Any, Any, Any],
    tenant: FromQuery[int | None] = None,
    kind: FromQuery[str | None] = None,
    external_id: Annotated[str | None, QueryParameter(name="externalId")] = None,
    customer_id: Annotated[int | None, QueryParameter(name="customerId")] = None,
    location_id: Annotated[int | None, QueryParameter(name="locationId")] = None,
    booking_id: Annotated[int | None, QueryParameter(name="bookingId")] = None,
    lead_id: Annotated[int | None, QueryParameter(name="leadId")] = None,
    by: FromQuery[str | None] = None,
    after: FromQuery[int] = 0,
    limit: FromQuery[int] = 100,
) -> Response[bytes]:
    """Count effects: in all, by kind, by external id where it was effected more than once; and list the first `limit`."""
    found = _simulator(request).ledger.select(
        tenant=tenant,
        kind=kind,
        external_id=external_id,
        customer_id=customer_id,
        location_id=location_id,
        booking_id=booking_id,
        lead_id=lead_id,
        by=by,
        after=after,
    )
    kinds: dict[str, int] = {}
    created: dict[str, int] = {}
    for entry in found:
        kinds[entry.kind] = kinds.get(entry.kind, 0) + 1
        if entry.kind == "booking.created" and entry.external_id is not None:
            created[entry.external_id] = created.get(entry.external_id, 0) + 1
    answer = {
        "count": len(found),
        "kinds": kinds,
        "bookings": len(created),
        "duplicates": {external: times for external, times in created.items() if times > 1},
        "entries": found[:limit],
    }
    return _json(answer)


@get("/_simulator/requests", sync_to_thread=False)
def read_requests(
    request: Request[Any, Any, Any],
    tenant: FromQuery[int | None] = None,
    method: FromQuery[str | None] = None,
    path: FromQuery[str | None] = None,
    after: FromQuery[int] = 0,
    limit: FromQuery[int] = 100,
) -> Response[bytes]:
    """List who asked what, newest last; `path` is a substring."""
    found = [
        entry
        for entry in _simulator(request).log
        if entry.sequence > after
        and (tenant is None or entry.tenant == tenant)
        and (method is None or entry.method == method.upper())
        and (path is None or path in entry.path)
    ]
    return _json({"count": len(found), "requests": found[-limit:]})


@get("/_simulator/faults", sync_to_thread=False)
def read_faults(request: Request[Any, Any, Any]) -> Response[bytes]:
    """List the rules in force with how often each met a request."""
    return _json(_simulator(request).faults.rules)


@post("/_simulator/faults", sync_to_thread=False)
def add_faults(request: Request[Any, Any, Any], data: JSONBody[list[Fault]]) -> Response[bytes]:
    """Put rules in force, before those that are, in the order given."""
    for fault in reversed(data):
        _simulator(request).add_fault(fault)
    return _json(_simulator(request).faults.rules)


@put("/_simulator/faults/profile", sync_to_thread=False)
def set_profile(request: Request[Any, Any, Any], data: JSONBody[Profile]) -> Response[bytes]:
    """Replace all rules by those of a named profile."""
    simulator = _simulator(request)
    try:
        rules = profile(data.name)
    except KeyError as error:
        raise NotFoundException(f"There is no profile named {data.name!r}.") from error
    simulator.clear_faults()
    for fault in reversed(rules):
        simulator.add_fault(fault)
    return _json(simulator.faults.rules)


@delete("/_simulator/faults", sync_to_thread=False)
def clear_faults(request: Request[Any, Any, Any]) -> None:
    """Take all rules out of force."""
    _simulator(request).clear_faults()


@get("/_simulator/switches", sync_to_thread=False)
def read_switches(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Show the choices made where ServiceTitan's documents are silent."""
    return _json(_simulator(request).switches)


@put("/_simulator/switches", sync_to_thread=False)
def set_switches(request: Request[Any, Any, Any], data: JSONBody[Switches]) -> Response[bytes]:
    """Replace the choices; what is not sent goes back to its default."""
    _simulator(request).switches = data
    return _json(data)


@post("/_simulator/reset", sync_to_thread=False, status_code=200)
def reset(request: Request[Any, Any, Any]) -> None:
    """Forget everything that happened; tenants that were added go too."""
    _simulator(request).clear()


@get("/_simulator/time", sync_to_thread=False)
def read_time(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Show the simulator's time."""
    return _json({"now": _simulator(request).now()})


@post("/_simulator/time", sync_to_thread=False, status_code=200)
def advance(request: Request[Any, Any, Any], data: JSONBody[Advance]) -> Response[bytes]:
    """Move the simulator's time forward."""
    _simulator(request).advance(data.seconds)
    return _json({"now": _simulator(request).now()})


@post("/_simulator/tenants", sync_to_thread=False)
def add_tenant(request: Request[Any, Any, Any], data: JSONBody[Tenant]) -> Response[bytes]:
    """Add a tenant, or one more app to a tenant that is there."""
    simulator = _simulator(request)
    add = simulator.add_client if data.tenant in simulator.accounts else simulator.add_tenant
    add(
        data.tenant,
        client_id=data.client_id,
        client_secret=data.client_secret,
        app_key=data.app_key,
        booking_provider=data.booking_provider,
        scopes=None if data.scopes is None else frozenset(data.scopes),
    )
    return _json({"tenants": sorted(simulator.accounts)})


@post("/_simulator/customers", sync_to_thread=False)
def populate(request: Request[Any, Any, Any], data: JSONBody[Population]) -> Response[bytes]:
    """Give a tenant made-up customers with locations and contacts, in place of those it had been given before."""
    account = _simulator(request).accounts.get(data.tenant)
    if account is None:
        raise NotFoundException(f"There is no tenant {data.tenant}.")
    attach(account, Town(seed=data.seed, customers=data.customers))
    return _json({name: len(account.tables[name]) for name in ATTACHED})


@post("/_simulator/edits", sync_to_thread=False, status_code=200)
def edit(request: Request[Any, Any, Any], data: JSONBody[Edit]) -> Response[bytes]:
    """Do what a person does in ServiceTitan: one of the actions of `operator.ACTIONS`."""
    simulator = _simulator(request)
    act = ACTIONS.get(data.action)
    if act is None or data.tenant not in simulator.accounts:
        raise NotFoundException(
            f"There is no tenant {data.tenant} or no action {data.action!r}; actions: {', '.join(ACTIONS)}."
        )
    try:
        return _json(act(simulator.operator(data.tenant), **data.arguments))
    except (KeyError, TypeError, ValueError) as error:
        raise ValidationException(str(error)) from error


@get("/_simulator/rows", sync_to_thread=False)
def read_table(
    request: Request[Any, Any, Any], tenant: FromQuery[int], table: FromQuery[str], limit: FromQuery[int] = 100
) -> Response[bytes]:
    """Show the stored rows of a table: the truth behind the API."""
    account = _simulator(request).accounts.get(tenant)
    if account is None or table not in account.tables:
        raise NotFoundException(f"There is no tenant {tenant} or no table {table!r}.")
    rows = account.tables[table]
    return _json({"count": len(rows), "rows": [row for row, _ in zip(rows, range(limit), strict=False)]})


@post("/_simulator/webhooks", sync_to_thread=False)
def subscribe(request: Request[Any, Any, Any], data: JSONBody[Subscription]) -> Response[bytes]:
    """Send a tenant's events to a URL, signed with the key."""
    hooks = _simulator(request).webhooks
    hooks.subscriptions.append(data)
    return _json(hooks.subscriptions)


@delete("/_simulator/webhooks", sync_to_thread=False)
def unsubscribe(request: Request[Any, Any, Any]) -> None:
    """Drop all subscriptions."""
    _simulator(request).webhooks.subscriptions.clear()


@get("/_simulator/webhooks", sync_to_thread=False)
def read_webhooks(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Show subscriptions and what became of each delivery."""
    hooks = _simulator(request).webhooks
    return _json({"subscriptions": hooks.subscriptions, "deliveries": hooks.deliveries[-200:]})


@post("/_simulator/webhooks/repeat", sync_to_thread=False, status_code=200)
def repeat(request: Request[Any, Any, Any], data: JSONBody[Occurrence]) -> Response[bytes]:
    """Send an event again: same `userassignedid`, new `id`."""
    simulator = _simulator(request)
    return _json({"queued": simulator.webhooks.repeat(data.occurrence, at=simulator.now())})


@get("/_simulator/openapi.json", sync_to_thread=False)
def read_openapi() -> Response[bytes]:
    """Show the OpenAPI document of everything that is served as ServiceTitan."""
    return _json(document())


def _json(value: Any) -> Response[bytes]:
    return Response(msgspec.json.encode(value), media_type="application/json")


ROUTES: list[Any] = [
    read_ledger,
    read_requests,
    read_faults,
    add_faults,
    set_profile,
    clear_faults,
    read_switches,
    set_switches,
    reset,
    read_time,
    advance,
    add_tenant,
    populate,
    edit,
    read_table,
    subscribe,
    unsubscribe,
    read_webhooks,
    repeat,
    read_openapi,
]
