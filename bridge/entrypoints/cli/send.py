"""`bridge send SOURCE`: posts a sample of a configured source, signed as its sender signs, or prints the curl of it."""

import base64
import os
import shlex
from datetime import UTC, datetime

import rich_click as click

from bridge.entrypoints.cli.exits import Exit, Stop


@click.command()
@click.argument("source")
@click.option("--case", "case_name", default="", help="Which sample; by default the connector's first.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the body: a dotted path, a form field, or the name of an XML element.",
)
@click.option("--url", "base", default="", help="Where the bridge listens; by default what the config says.")
@click.option("--curl", "as_curl", is_flag=True, help="Print the command instead of sending.")
@click.option("--list", "as_list", is_flag=True, help="List the samples of the source's connector.")
def send(source: str, case_name: str, changes: tuple[str, ...], base: str, as_curl: bool, as_list: bool) -> None:
    """Post a signed sample of SOURCE (a source of the config) to a running bridge; exit 3 where nobody listens."""
    from bridge.connectors import ALIASES, kinds
    from bridge.domain.ids import SourceId
    from bridge.entrypoints import samples
    from bridge.settings import Settings, load

    settings = load(None, os.environ, kinds=(*kinds(), *ALIASES))
    if not isinstance(settings, Settings):
        raise Stop(Exit.PROBLEMS, "the config has faults; run `bridge check --secrets`")
    found = settings.sources.get(SourceId(source))
    if found is None:
        raise Stop(Exit.USAGE, f"no source {source!r}; there are {', '.join(sorted(settings.sources))}")
    if as_list:
        click.echo("\n".join(samples.cases_of(found)))
        return
    try:
        request = samples.signed(settings, found, name=case_name, changes=changes, now=datetime.now(UTC))
    except samples.SampleInvalid as invalid:
        raise Stop(Exit.USAGE, str(invalid)) from None
    target = samples.address(settings, request, base=base)
    if as_curl:
        click.echo(curl(request.method, target, request.headers, request.body))
        return
    _post(request.method, target, request.headers, request.body)


def curl(method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes) -> str:
    """Return the shell command that sends a request byte for byte."""
    parts = ["curl", "-sS", "-i", "-X", method, shlex.quote(url)]
    for name, value in headers:
        parts += ["-H", shlex.quote(f"{name}: {value}")]
    if not any(name == "content-type" for name, _ in headers):
        parts += ["-H", "content-type:"]
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # no argument of a command can hold it
        command = " ".join([*parts, "--data-binary", "@-"])
        return f"printf %s {base64.b64encode(body).decode()} | base64 -d | {command}"
    return " ".join([*parts, "--data-raw", shlex.quote(text)] if body else parts)


def _post(method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
    import httpx

    try:
        answer = httpx.request(method, url, headers=list(headers), content=body, timeout=30.0)
    except httpx.HTTPError as error:
        raise Stop(Exit.UNREACHABLE, f"nobody answers at {url} ({type(error).__name__})") from None
    click.echo(f"{answer.status_code} {answer.text}")
    if answer.status_code >= 400:
        raise Stop(Exit.REFUSED, "the bridge refused it")
