"""Samples of what each sender sends, signed as it signs: for `bridge send` and for the console's button."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.sax.saxutils import escape

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
        kind = case["headers"].get("content-type", "")
        change = next((one for part, one in _TEXTS.items() if part in kind), None)
        if change is None and pairs:
            raise SampleInvalid("--set changes JSON, form and XML bodies only")
        for name, _, value in pairs if change else ():
            body = change(body, name, value)  # type: ignore[misc]  # without a change there are no pairs
        return str(body).encode()
    for name, _, value in pairs:
        _put(body, name.split("."), value)
    return msgspec.json.encode(body)


def _in_form(body: str, name: str, value: str) -> str:
    """Return a form with a field set; `rawRequest.q3_name.first` is a place in the JSON of a field."""
    pairs = parse_qsl(body, keep_blank_values=True)
    whole, _, path = name.partition(".")
    known = dict(pairs)
    if path and name not in known and whole in known:
        name, value = whole, _within(known[whole], path, value)
    return urlencode([*(pair for pair in pairs if pair[0] != name), (name, value)])


def _in_parts(body: str, name: str, value: str) -> str:
    """Return a multipart form with a part set, or a place in the JSON of a part."""
    whole, _, path = name.partition(".")
    found = re.search(rf'name="{re.escape(whole)}"\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', body, re.DOTALL)
    if found is None:
        raise SampleInvalid(f"no part {whole!r} in the form")
    new = _within(found[1], path, value) if path else value
    return body[: found.start(1)] + new + body[found.end(1) :]


def _within(text: str, path: str, value: str) -> str:
    try:
        data = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise SampleInvalid(f"there is no JSON in which {path!r} could be set") from None
    _put(data, path.split("."), value)
    return msgspec.json.encode(data).decode()


def _in_xml(body: str, name: str, value: str) -> str:
    """Return a document with the text of its first element of a name set, whatever its namespace."""
    found = re.search(rf"<(?:[\w.-]+:)?{re.escape(name.rpartition('.')[2])}(?:\s[^<>]*)?>([^<]*)</", body)
    if found is None:
        raise SampleInvalid(f"no element {name!r} with a text")
    return body[: found.start(1)] + escape(value) + body[found.end(1) :]


_TEXTS: dict[str, Callable[[str, str, str], str]] = {
    "x-www-form-urlencoded": _in_form, "multipart/form-data": _in_parts, "xml": _in_xml,
}  # fmt: skip
"""How a value is set in a body that is text, by a part of its content type."""


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
