"""Pages from templates: escaped by default, times in the tenant's zone, headers that let nothing from outside in."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response

from bridge.domain.inquiry import Inquiry
from bridge.domain.reasons import advice_for
from bridge.entrypoints.access import Visit
from bridge.entrypoints.console import charts
from bridge.operations.users import Role
from bridge.reports import timeline

HERE = Path(__file__).parent
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
}

NAVIGATION = (
    ("/", "Today", "t"), ("/deliveries", "Deliveries", "d"), ("/review", "Review", "r"), ("/outbox", "Outbox", "o"),
    ("/problems", "Problems", "p"), ("/sources", "Sources", "s"), ("/flow", "Flow", "f"), ("/health", "Health", "h"),
    ("/settings", "Settings", "e"),
)  # fmt: skip
"""Path, title and the key after `g`."""


@cache
def environment() -> Environment:
    """Return the templates."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        verb=timeline.verb,
        said=timeline.said,
        advice=advice_for,
        pretty=_pretty,
        ago=_ago,
        url=quote,
        match_sentence=timeline.match_sentence,
        tag=_tag,
        first=_first,
        mapped=mapped,
    )
    made.globals.update(
        newest=lambda rows: max((row.id for row in rows), default=0),
        navigation=NAVIGATION,
        sparkline=charts.sparkline,
        waterfall=charts.waterfall,
        sankey=charts.sankey,
        urlencode=urlencode,
        Role=Role,
    )
    return made


def _first(values: Iterable[Any]) -> Any:
    """Return the first value, empty text for none: the engine's own refuses an empty list under strict names."""
    return next(iter(values), "")


def _tag(value: Any) -> str:
    return str(value.__struct_config__.tag)


def mapped(inquiry: Inquiry) -> list[tuple[str, str, str]]:
    """Return for each value that was read: our field, the value, the place of the payload it came from."""
    data = msgspec.to_builtins(inquiry)
    return [(field, _at(data, field), place) for field, place in inquiry.origins.items()]


def _at(data: Any, path: str) -> str:
    for step in path.split("."):
        if isinstance(data, list | tuple) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        elif isinstance(data, dict) and step in data:
            data = data[step]
        else:
            return ""
    return _flat(data)


def _flat(data: Any) -> str:
    """Return a value as a person reads it: the parts of an address with commas, not as JSON."""
    if isinstance(data, str):
        return data
    if isinstance(data, dict):
        parts = [value for name, value in data.items() if name != "raw"] or list(data.values())
        return ", ".join(filter(None, map(_flat, parts)))
    if isinstance(data, list | tuple):
        return ", ".join(filter(None, map(_flat, data)))
    return msgspec.json.encode(data).decode()


def _pretty(value: Any) -> str:
    if isinstance(value, dict) and "" in value:  # the id of the one thing that was made
        value = {name or "id": item for name, item in value.items()}
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _ago(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "never"
    seconds = int((now - moment).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds // size} {unit} ago" if seconds >= 0 else f"in {-seconds // size} {unit}"
    return "just now" if seconds >= 0 else "in a moment"


def _clock(zone: str, now: datetime) -> tuple[Callable[[datetime], str], Callable[[datetime], str]]:
    here = ZoneInfo(zone)
    today = now.astimezone(here).date()

    def short(moment: datetime) -> str:
        local = moment.astimezone(here)
        return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%b %-d %H:%M}"

    def whole(moment: datetime) -> str:
        return f"{moment.astimezone(here):%a, %b %-d %Y, %H:%M:%S %Z}"

    return short, whole


def _address(visit: Visit) -> str:
    """Return where a page fetches itself anew after something changed: what a form answers stands at the form's page."""
    at = visit.request.headers.get("hx-current-url", "") if visit.request.method == "POST" else str(visit.request.url)
    url = urlsplit(at)
    return f"{url.path}?{url.query}" if url.query else url.path


def fragment(visit: Visit, template: str, **values: Any) -> str:
    """Return the text of a template for somebody's visit."""
    now = visit.context.clock()
    short, whole = _clock(visit.context.time_zone(visit.tenant_id), now)
    tenants = [
        tenant for tenant_id, tenant in visit.context.settings.tenants.items() if visit.person.may_see(tenant_id)
    ]
    return environment().get_template(template).render(
        visit=visit, person=visit.person, now=now, short=short, whole=whole, tenants=tenants, tenant_id=visit.tenant_id,
        path=visit.request.url.path, here=_address(visit), may_act=visit.may(Role.OPERATOR), may_admin=visit.may(Role.ADMIN),
        config_faults=visit.context.config_faults(), **values,
    )  # fmt: skip


def page(
    visit: Visit, template: str, *, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> Response[str]:
    """Return a page."""
    return html(fragment(visit, template, **values), status=status, headers=headers)


def html(text: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Response[str]:
    """Return a text as HTML."""
    return Response(content=text, status_code=status, media_type="text/html", headers={**HEADERS, **(headers or {})})


def plain(template: str, *, status: int = 200, **values: Any) -> Response[str]:
    """Return a page for nobody in particular."""
    return html(environment().get_template(template).render(**values), status=status)


def toast(text: str, *, tone: str = "good", refresh: bool = True) -> Response[str]:
    """Return a short message that appears at the foot of the page; `refresh` lets the page fetch itself anew."""
    body = environment().get_template("toast.html").render(text=text, tone=tone)
    headers = {"hx-retarget": "#toast", "hx-reswap": "innerHTML"}
    if refresh:
        headers["hx-trigger"] = "changed"
    return html(body, headers=headers)
