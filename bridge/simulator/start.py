"""Starts a simulator from texts as a command line gives them, and runs it until it is stopped."""

import asyncio
import gc
import socket
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import uvicorn

from bridge.simulator.generator import Town, attach
from bridge.simulator.server import configure
from bridge.simulator.state import Simulator
from bridge.simulator.switches import Switches


def read_switches(texts: Iterable[str]) -> Switches:
    """Read `name=value` texts, names as the control API shows them; ValueError names what does not fit."""
    given: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is not NAME=VALUE")
        given[name] = {"true": True, "false": False}.get(value.lower(), value)
    try:
        return msgspec.convert(given, Switches, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"switch: {error}") from error


def add_tenant(simulator: Simulator, text: str) -> None:
    """Add a tenant written as `ID[:CLIENT:SECRET:APPKEY[:PROVIDER]]`; ValueError if it is not."""
    tenant, *parts = text.split(":")
    if not tenant.isdecimal() or len(parts) not in {0, 3, 4}:
        raise ValueError(f"tenant {text!r} is not ID[:CLIENT:SECRET:APPKEY[:PROVIDER]]")
    client, secret, app_key = parts[:3] if parts else (f"cid.{tenant}", f"cs1.{tenant}", "ak1.demo")
    provider = int(parts[3]) if len(parts) == 4 else 501
    simulator.add_tenant(
        int(tenant),
        client_id=client,
        client_secret=secret,
        app_key=app_key,
        booking_provider=provider or None,
    )


def build(*, seed: int, customers: int, faults: str, tenants: Iterable[str], switches: Iterable[str]) -> Simulator:
    """Build a simulator from a command line's texts; ValueError says what is wrong."""
    simulator = Simulator(seed=seed, faults=faults, switches=read_switches(switches))
    for text in tenants:
        add_tenant(simulator, text)
    for account in simulator.accounts.values():
        if customers:
            attach(account, Town(seed=seed + account.id, customers=customers))
    return simulator


def run(
    *,
    host: str,
    port: int,
    seed: int,
    customers: int,
    faults: str,
    tenants: Iterable[str],
    switches: Iterable[str],
    say: Callable[[str], None],
) -> None:
    """Serve until interrupted; `say` gets the address once the port is taken."""
    simulator = build(seed=seed, customers=customers, faults=faults, tenants=tenants, switches=switches)
    taken = socket.create_server((host, port), reuse_port=False, backlog=2048)
    address = f"http://{host}:{taken.getsockname()[1]}"
    server = uvicorn.Server(configure(simulator, host=host, port=port))
    say(f"ServiceTitan simulator at {address}, seed {seed}, faults {faults}")
    say(f"  tenants {', '.join(map(str, simulator.accounts))}; {customers} made-up customers each")
    say(f"  control API {address}/_simulator/docs; ledger {address}/_simulator/ledger")
    gc.freeze()
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(server.serve(sockets=[taken]))


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415 - only a server needs it

    return uvloop.new_event_loop()
