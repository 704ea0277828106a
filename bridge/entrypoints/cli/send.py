"""`bridge send SOURCE`: posts a sample of a configured source, signed as its sender signs, or prints the curl of it."""

import os
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
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
    help="Change a value of the body: a dotted path, or a form field.",
)
@click.option("--url", "base", default="", help="Where the bridge listens; by default what the config says.")
@click.option("--curl", "as_curl", is_flag=True, help="Print the command instead of sending.")
@click.option("--list", "as_list", is_flag=True, help="List the samples of the source's connector.")
def send(source: str, case_name: str, changes: tuple[str, ...], base: str, as_curl: bool, as_list: bool) -> None:
    """Post a signed sample of SOURCE (a source of the config) to a running bridge; exit 3 where nobody listens."""
    from bridge.bootstrap import options_of, public_url_of
    from bridge.connectors import ALIASES, get_connector, kinds
    from bridge.connectors.base import Secret
    from bridge.domain.delivery import HookRequest
    from bridge.domain.ids import SourceId
    from bridge.settings import Settings, load

    settings = load(None, os.environ, kinds=(*kinds(), *ALIASES))
    if not isinstance(settings, Settings):
        raise Stop(Exit.PROBLEMS, "the config has faults; run `bridge check`")
    found = settings.sources.get(SourceId(source))
    if found is None:
        raise Stop(Exit.USAGE, f"no source {source!r}; there are {', '.join(sorted(settings.sources))}")
    connector = get_connector(found.connector)
    cases = {path.stem: path for path in sorted(cases_folder().glob(f"{connector.kind}/*.json"))}
    if as_list:
        click.echo("\n".join(cases))
        return
    path = cases.get(case_name) if case_name else next(iter(cases.values()), None)
    if path is None:
        raise Stop(Exit.USAGE, f"no sample {case_name!r} of {connector.kind}; there are {', '.join(cases) or 'none'}")
    case: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    public = public_url_of(settings)
    request = HookRequest(
        method=case.get("method", "POST"), url=f"{public}/hooks/{source}{case.get('path', '')}",
        headers=tuple(case["headers"].items()), body=_body(case, changes),
    )  # fmt: skip
    if found.secrets:
        secret = Secret(found.secrets[0].name, found.secrets[0].value)
        options = options_of(found, time_zone="UTC", country="US", public_url=public)
        request = connector.prove(request, secret=secret, options=options, now=datetime.now(UTC))
    listens = base.rstrip("/") or f"http://{settings.server.host}:{settings.server.port}"
    signed = urlsplit(request.url)
    target = f"{listens}{signed.path}" + (f"?{signed.query}" if signed.query else "")
    if as_curl:
        click.echo(curl(request.method, target, request.headers, request.body))
        return
    _post(request.method, target, request.headers, request.body)


def cases_folder() -> Path:
    """Return where the samples lie: in the package where it is installed, else among the tests of the checkout."""
    package = Path(__file__).parents[2]
    inside = package / "cases"
    return inside if inside.is_dir() else package.parent / "tests" / "cases"


def _body(case: dict[str, Any], changes: tuple[str, ...]) -> bytes:
    """Return the sample's body with the asked changes."""
    body = case["body"]
    pairs = [change.partition("=") for change in changes]
    if any(not joined for _, joined, _ in pairs):
        raise Stop(Exit.USAGE, "--set wants KEY=VALUE")
    if isinstance(body, str):
        if pairs and "x-www-form-urlencoded" not in case["headers"].get("content-type", ""):
            raise Stop(Exit.USAGE, "--set changes JSON and form bodies only")
        for name, _, value in pairs:
            kept = [pair for pair in parse_qsl(body, keep_blank_values=True) if pair[0] != name]
            body = urlencode([*kept, (name, value)])
        return str(body).encode()
    for name, _, value in pairs:
        _put(body, name.split("."), value)
    return msgspec.json.encode(body)


def _put(data: Any, steps: list[str], value: str) -> None:
    """Put a value at a dotted path of plain data, making objects on the way."""
    for step, following in zip(steps, [*steps[1:], ""], strict=True):
        key: Any = int(step) if isinstance(data, list) and step.isdigit() else step
        if isinstance(data, list) and not (isinstance(key, int) and key < len(data)):
            raise Stop(Exit.USAGE, f"no item {step!r} in the list")
        if not isinstance(data, dict | list):
            raise Stop(Exit.USAGE, f"nothing can be put below a plain value ({step})")
        if not following:
            data[key] = value
            return
        if isinstance(data, dict):
            data.setdefault(key, {})
        data = data[key]


def curl(method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes) -> str:
    """Return the shell command that sends a request byte for byte."""
    parts = ["curl", "-sS", "-i", "-X", method, shlex.quote(url)]
    for name, value in headers:
        parts += ["-H", shlex.quote(f"{name}: {value}")]
    return " ".join([*parts, "--data-binary", shlex.quote(body.decode("utf-8", "replace"))])


def _post(method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
    import httpx

    try:
        answer = httpx.request(method, url, headers=list(headers), content=body, timeout=30.0)
    except httpx.HTTPError as error:
        raise Stop(Exit.UNREACHABLE, f"nobody answers at {url} ({type(error).__name__})") from None
    click.echo(f"{answer.status_code} {answer.text}")
    if answer.status_code >= 400:
        raise Stop(Exit.REFUSED, "the bridge refused it")
