"""`bridge simulator`: a stand-in ServiceTitan on this machine, for development, demos and tests."""

import rich_click as click


@click.command("simulator")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8377, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option(
    "--seed", default=0, show_default=True, help="Decides made-up customers, ids and which requests go wrong."
)
@click.option("--customers", default=0, show_default=True, help="How many made-up customers each tenant has.")
@click.option(
    "--faults",
    type=click.Choice(["none", "gentle", "rough", "chaos"]),
    default="none",
    show_default=True,
    help="How much goes wrong; more can be scripted while it runs.",
)
@click.option(
    "--tenant",
    "tenants",
    multiple=True,
    metavar="ID[:CLIENT:SECRET:APPKEY[:PROVIDER]]",
    help="Serve this tenant too; can be repeated. A provider of 0 means no restriction.",
)
@click.option(
    "--rate-limit", default=60, show_default=True, help="Requests a second of an (app, tenant); 0 turns it off."
)
@click.option("--switch", "switches", multiple=True, metavar="NAME=VALUE", help="Decide an unknown of the real API.")
def simulator(
    host: str,
    port: int,
    seed: int,
    customers: int,
    faults: str,
    tenants: tuple[str, ...],
    rate_limit: int,
    switches: tuple[str, ...],
) -> None:
    """Run a stand-in ServiceTitan: its API, its tokens, its webhooks, and a ledger of every effect.

    The demo tenant is 1000001 with client `cid.demo`, secret `cs1.demo`, app key `ak1.demo` and booking provider 501.
    The control API is under `/_simulator/`. Everything is in memory and forgotten at exit.
    """
    from bridge.simulator.start import run

    try:
        run(
            host=host,
            port=port,
            seed=seed,
            customers=customers,
            faults=faults,
            tenants=tenants,
            switches=(f"rateLimitPerSecond={rate_limit}", *switches),
            say=click.echo,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {error.strerror}; --port 0 takes a free port"
        ) from error
