"""`bridge demo`: everything on this machine, from a signed webhook to the booking in a stand-in ServiceTitan."""

import contextlib
import json
import shlex
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from bridge.entrypoints.cli.demo_lines import More, booking_of, line_of, wait_for_effects
from bridge.entrypoints.cli.exits import Exit, Stop
from bridge.entrypoints.cli.processes import Child, Signals, environment, free_port, stop_all

if TYPE_CHECKING:
    import psycopg

    from bridge.db.embedded import EmbeddedPostgres
    from bridge.entrypoints.cli.demo_samples import Known, Sample
    from bridge.settings import Settings

_START_SECONDS = 30.0
_MIRROR_SECONDS = 30.0
_TENANT = 1000001
_CUSTOMERS = 200  # of the stand-in ServiceTitan: enough to meet one, loaded within a second
_DEMOS = 9  # at once in one folder


class Demo:
    """The running pieces, and what was seen of them."""

    def __init__(self, *, number: int, quiet: bool, signals: Signals) -> None:
        from bridge.bootstrap import load_settings

        self.port = free_port(8080 + number)
        self.simulator_port = free_port(8377 + number)
        self.environ = environment(
            BRIDGE_PORT=str(self.port), BRIDGE_SIMULATOR_URL=f"http://127.0.0.1:{self.simulator_port}"
        )
        self.environ.pop("BRIDGE_CONFIG", None)
        self.settings: Settings = load_settings(environ=self.environ)
        self.children: list[Child] = []
        self._quiet = quiet
        self._signals = signals

    def say(self, text: str = "") -> None:
        """Tell the person at the terminal; --json keeps standard output for the result."""
        click.echo(text, err=self._quiet)

    def start(self, dsn: str, logs: Path) -> None:
        """Migrate a fresh database, start the roles and wait until they are ready."""
        from bridge.db import migrations

        migrations.upgrade(dsn)
        self.environ["DATABASE_URL"] = dsn
        roles = (
            ["simulator", "--port", str(self.simulator_port), "--customers", str(_CUSTOMERS)],
            ["serve"],
            ["work"],
            ["sync"],
        )
        for arguments in roles:
            child = Child(arguments, environ=self.environ, log=logs / f"{arguments[0]}.log")
            child.start()
            self.children.append(child)
        self._wait(f"http://127.0.0.1:{self.simulator_port}/_simulator/time", "simulator", logs)
        self._wait(f"http://127.0.0.1:{self.port}/readyz", "serve", logs)

    def _wait(self, url: str, name: str, logs: Path) -> None:
        import urllib.request

        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and not self._signals.stopped:
            try:
                with urllib.request.urlopen(url, timeout=2):  # noqa: S310  our own address
                    return
            except OSError:
                time.sleep(0.05)
        tail = (logs / f"{name}.log").read_text(errors="replace")[-800:]
        raise Stop(Exit.UNREACHABLE, f"{name} did not start:\n{tail}")

    def post(self, sample: "Sample") -> tuple[int, dict[str, Any]]:
        """Send a sample as its sender would and return status and answer."""
        import urllib.error
        import urllib.request

        url = f"http://127.0.0.1:{self.port}/hooks/{sample.source}{sample.path}"
        request = urllib.request.Request(url, data=sample.body, headers=sample.headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")
        except OSError as error:
            raise Stop(Exit.UNREACHABLE, f"{url} does not answer: {error}") from None

    def ledger(self) -> list[dict[str, Any]]:
        """Return every effect the simulator ever applied to the demo's tenant: the truth, not our tables."""
        import urllib.request

        url = f"http://127.0.0.1:{self.simulator_port}/_simulator/ledger?tenant={_TENANT}&by=api"
        with urllib.request.urlopen(url, timeout=5) as answer:
            body = json.loads(answer.read())
        entries: list[dict[str, Any]] = body["entries"] if isinstance(body, dict) else body
        return entries


@click.command()
@click.option("--once", is_flag=True, help="Send the samples, wait for their effects, print the end state and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the end state as JSON.")
def demo(once: bool, as_json: bool) -> None:
    """Run everything here: PostgreSQL, a stand-in ServiceTitan, the bridge and its worker, on signed sample webhooks.

    Exit code of --once: 0 only if every sample had exactly its expected effect.
    """
    import os

    import psycopg

    from bridge.db.embedded import EmbeddedPostgresError
    from bridge.entrypoints.cli.demo_samples import from_known, samples

    signals = Signals()
    try:
        number, folder, server = own_server(Path(os.environ.get("BRIDGE_DATA_DIR") or ".bridge"))
    except EmbeddedPostgresError as error:
        raise Stop(Exit.UNREACHABLE, str(error)) from None
    dsn = server.dsn
    demonstration = Demo(number=number, quiet=as_json, signals=signals)
    try:
        with psycopg.connect(dsn, autocommit=True) as admin:  # each demo starts from nothing; so does its simulator
            admin.execute("DROP DATABASE IF EXISTS bridge_demo WITH (FORCE)")
            admin.execute("CREATE DATABASE bridge_demo")
        own = dsn.replace("/postgres?", "/bridge_demo?")
        demonstration.start(own, folder)
        secrets = {str(name): source.secrets[0].value for name, source in demonstration.settings.sources.items()}
        run = uuid.uuid4().hex[:8]
        with psycopg.connect(own, autocommit=True) as connection:
            wanted = samples(secrets, run=run, now=int(time.time()))
            results = [_follow(demonstration, connection, sample) for sample in wanted]
            known = _known_customer(connection)  # last: meanwhile the mirror loads at its share of the requests
            sample = from_known(secrets["website"], known, run=run, now=int(time.time()))
            results.append(_follow(demonstration, connection, sample))
            state = _end_state(demonstration, connection, results)
        if as_json:
            click.echo(json.dumps(state, indent=2))
        else:
            counted = ", ".join(f"{count} {kind}" for kind, count in sorted(state["effects"].items()))
            demonstration.say(f"\nIn ServiceTitan's ledger: {counted or 'nothing'}.")
        if once:
            if not state["as_expected"]:
                raise Stop(Exit.PROBLEMS, "" if as_json else "a sample did not have exactly its expected effect")
            return
        _tell(demonstration, secrets["website"], run, dsn=own, link=_first_admin(own))
        with psycopg.connect(own, autocommit=True) as connection:
            more = More(demonstration.say, connection)
            while not signals.stopped:
                for child in demonstration.children:
                    child.mind()
                with contextlib.suppress(
                    psycopg.OperationalError
                ):  # whoever stops PostgreSQL wants to see what the rest does
                    more.tell()
                time.sleep(0.2)
        demonstration.say("stopping")
    finally:
        stop_all(demonstration.children)
        server.stop()


def own_server(folder: Path) -> "tuple[int, Path, EmbeddedPostgres]":
    """Start a server that no other demo uses, for each demo begins by emptying its database; return its number too."""
    from bridge.db.embedded import EmbeddedPostgres, EmbeddedPostgresError

    for number in range(_DEMOS):
        own = folder / (f"demo-{number + 1}" if number else "demo")
        server = EmbeddedPostgres(own)
        server.start()
        if server.runs_here:
            return number, own, server
    raise EmbeddedPostgresError(f"{_DEMOS} demos run in {folder} already: stop one, or set BRIDGE_DATA_DIR")


def _known_customer(connection: "psycopg.Connection[Any]") -> "Known":
    """Return a customer of the stand-in ServiceTitan as soon as one can be found in the mirror by name and phone."""
    from bridge.entrypoints.cli.demo_samples import Known

    until = time.monotonic() + _MIRROR_SECONDS
    while time.monotonic() < until:
        row = connection.execute(
            "SELECT c.id, c.name, p.value, l.street, l.city, l.state, l.zip FROM mirrored_customers c"
            " JOIN mirrored_contacts p ON p.tenant_id = c.tenant_id AND p.party = 'customer' AND p.owner_id = c.id"
            " JOIN mirrored_locations l ON l.tenant_id = c.tenant_id AND l.customer_id = c.id"
            " WHERE c.tenant_id = %s AND c.active AND c.type = 'Residential' AND p.active AND p.type = 'MobilePhone'"
            " AND l.active AND l.zip IS NOT NULL AND EXISTS"
            " (SELECT FROM customer_keys m JOIN match_keys k ON k.tenant_id = m.tenant_id AND k.key = m.keys[1]"
            " AND k.customer_id = m.customer_id WHERE m.tenant_id = c.tenant_id AND m.customer_id = c.id)"
            " ORDER BY c.id, p.id, l.id LIMIT 1",
            [_TENANT],
        ).fetchone()
        if row is not None:
            names = ("customer", "name", "phone", "street", "city", "state", "zip")
            return Known(**dict(zip(names, row, strict=True)))
        time.sleep(0.05)
    raise Stop(Exit.UNREACHABLE, "the mirror did not load: see sync.log beside the demo's database")


def _follow(demonstration: Demo, connection: "psycopg.Connection[Any]", sample: "Sample") -> dict[str, Any]:
    """Send one sample and print its way, step by step, as the bridge wrote it down."""
    status, answer = demonstration.post(sample)
    result: dict[str, Any] = {
        "sample": sample.title,
        "source": sample.source,
        "expected": sample.expect,
        "status": status,
    }
    if status >= 300:
        demonstration.say(f"✗ {sample.title}: {status} {answer.get('reason')}")
        return {**result, "got": "rejected", "reason": answer.get("reason")}
    delivery = int(answer["id"])
    result["delivery"] = delivery
    if answer["status"] == "duplicate":
        demonstration.say(f"✓ {sample.title}: verified → already delivery {delivery}, nothing is done twice")
        return {**result, "got": "duplicate"}
    seen = wait_for_effects(connection, delivery)
    match, booking = seen["match"] or {}, booking_of(seen)
    got = "joins" if seen["joins"] else "booking" if booking else "nothing"
    if sample.customer is not None and match.get("customer_id") != sample.customer:
        got = "somebody else"
    result |= {"got": got, "booking": booking, "customer": match.get("customer_id"), "effects": seen["effects"]}
    demonstration.say(line_of(sample.title, seen))
    return result


def _end_state(
    demonstration: Demo, connection: "psycopg.Connection[Any]", results: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what there is in the end, effects counted in the simulator's own ledger."""
    entries = demonstration.ledger()
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry["kind"]] = counts.get(entry["kind"], 0) + 1
    per_booking: dict[str, int] = {}
    for entry in entries:
        if entry["kind"] == "booking.created":
            per_booking[entry["externalId"]] = per_booking.get(entry["externalId"], 0) + 1
    keys = [effect["key"] for one in results for effect in one.get("effects", ()) if effect["kind"] == "create_booking"]
    once = sorted(per_booking) == sorted(keys) and all(count == 1 for count in per_booking.values())
    deliveries = connection.execute("SELECT count(*) FROM deliveries").fetchone()
    inquiries = connection.execute("SELECT count(*) FROM decisions WHERE inquiry IS NOT NULL").fetchone()
    return {
        "deliveries": deliveries[0] if deliveries else 0,
        "inquiries": inquiries[0] if inquiries else 0,
        "effects": counts,
        "samples": results,
        "as_expected": once and all(one["got"] == one["expected"] for one in results),
    }


def _first_admin(dsn: str) -> str:
    """Add the demo's administrator and return the path of a link that logs in once."""
    import asyncio

    from bridge.bootstrap import wall_clock
    from bridge.db.database import Database
    from bridge.operations import users
    from bridge.operations.audit import Act
    from bridge.operations.users import Role

    async def make() -> str:
        database = Database(dsn)
        await database.open()
        act = Act(by="demo", now=wall_clock())
        await users.add(database, act, login="demo@example.com", role=Role.ADMIN)
        _, path = await users.make_link(database, act, login="demo@example.com")
        await database.close()
        return path

    return asyncio.run(make())


def _tell(demonstration: Demo, secret: str, run: str, *, dsn: str, link: str) -> None:
    """Say where to look while everything runs."""
    from bridge.entrypoints.cli.demo_samples import signed_website

    headers, body = signed_website(
        secret,
        f"msg_{run}_curl",
        int(time.time()),
        {"name": "Your Name", "phone": "512-555-0100", "message": "Tried with curl"},
    )
    flags = " ".join(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items())
    base = f"http://127.0.0.1:{demonstration.port}"
    demonstration.say(f"Console     {base}{link}   (logs in once)")
    demonstration.say(f"API         {base}/api/v1")
    demonstration.say(f"ServiceTitan (simulated)  http://127.0.0.1:{demonstration.simulator_port}/_simulator/docs")
    demonstration.say()
    demonstration.say("The story of the first, in another terminal:")
    demonstration.say(f"  DATABASE_URL={shlex.quote(dsn)} .venv/bin/bridge deliveries why 1")
    demonstration.say()
    demonstration.say("One more, signed and good for five minutes:")
    demonstration.say(f"  curl -X POST {base}/hooks/website {flags} -d {shlex.quote(body.decode())}")
    demonstration.say()
    demonstration.say("Ctrl-C stops everything.")
