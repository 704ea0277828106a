"""Samples of what each sender sends, signed as it signs: for `bridge send` and for the console's button."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from bridge.bootstrap import options_of, public_url_of
from bridge.connectors import get_connector
from bridge.connectors.base import Secret
from bridge.domain.delivery import HookRequest
from bridge.settings import Settings, SourceSettings


class SampleInvalid(ValueError):
    """There is no such sample, or it cannot be changed like this; the text says which there are."""


def cases_folder() -> Path:
    """Return where the samples lie: in the package where it is installed, else among the tests of the checkout."""
    package = Path(__file__).parents[1]
    inside = package / "cases"
    return inside if inside.is_dir() else package.parent / "tests" / "cases"


def cases_of(source: SourceSettings) -> dict[str, Path]:
    """Return the samples of a source's connector by name."""
    kind = get_connector(source.connector).kind
    return {path.stem: path for path in sorted(cases_folder().glob(f"{kind}/*.json"))}


def signed(
    settings: Settings, source: SourceSettings, *, name: str = "", changes: Sequence[str] = (), now: datetime
) -> HookRequest:
    """Return a sample as its sender would send it now, the first one where none is named; raises SampleInvalid."""
    connector = get_connector(source.connector)
    cases = cases_of(source)
    path = cases.get(name) if name else next(iter(cases.values()), None)
    if path is None:
        raise SampleInvalid(f"no sample {name!r} of {connector.kind}; there are {', '.join(cases) or 'none'}")
    case: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    public = public_url_of(settings)
    request = HookRequest(
        method=case.get("method", "POST"), url=f"{public}/hooks/{source.id}{case.get('path', '')}",
        headers=tuple(case["headers"].items()), body=_body(case, changes),
    )  # fmt: skip
    if not source.secrets:
        return request
    secret = Secret(source.secrets[0].name, source.secrets[0].value)
    options = options_of(source, time_zone="UTC", country="US", public_url=public)
    return connector.prove(request, secret=secret, options=options, now=now)


def address(settings: Settings, request: HookRequest, *, base: str = "") -> str:
    """Return where this machine's bridge takes a request that was signed for its public address."""
    listens = base.rstrip("/") or f"http://{settings.server.host}:{settings.server.port}"
    parts = urlsplit(request.url)
    return f"{listens}{parts.path}" + (f"?{parts.query}" if parts.query else "")


def _body(case: dict[str, Any], changes: Sequence[str]) -> bytes:
    """Return the sample's body with the asked changes."""
    body = case["body"]
    pairs = [change.partition("=") for change in changes]
    if any(not joined for _, joined, _ in pairs):
        raise SampleInvalid("--set wants KEY=VALUE")
    if isinstance(body, str):
        if pairs and "x-www-form-urlencoded" not in case["headers"].get("content-type", ""):
            raise SampleInvalid("--set changes JSON and form bodies only")
        for name, _, value in pairs:
            kept = [pair for pair in parse_qsl(body, keep_blank_values=True) if pair[0] != name]
            body = urlencode([*kept, (name, value)])
        return str(body).encode()
    for name, _, value in pairs:
        _put(body, name.split("."), value)
    return msgspec.json.encode(body)


def _alike(known: Any, value: str) -> Any:
    """Return a new value as the kind of scalar that stood there: `true` of a flag and `7` of a number are no texts."""
    if not isinstance(known, bool | int | float):
        return value
    try:
        return msgspec.json.decode(
            value.encode(), type=bool if isinstance(known, bool) else float if isinstance(known, float) else int
        )
    except msgspec.DecodeError:
        raise SampleInvalid(f"{value!r} cannot stand where {known!r} stood") from None


def _put(data: Any, steps: list[str], value: str) -> None:
    """Put a value at a dotted path of plain data, making objects on the way."""
    for step, following in zip(steps, [*steps[1:], ""], strict=True):
        key: Any = int(step) if isinstance(data, list) and step.isdigit() else step
        if isinstance(data, list) and not (isinstance(key, int) and key < len(data)):
            raise SampleInvalid(f"no item {step!r} in the list")
        if not isinstance(data, dict | list):
            raise SampleInvalid(f"nothing can be put below a plain value ({step})")
        if not following:
            data[key] = _alike(data[key] if isinstance(data, list) else data.get(key), value)
            return
        if isinstance(data, dict):
            data.setdefault(key, {})
        data = data[key]
