"""What the config says of a source's fetches: credentials under `hydrate:`, the rest among its options (pure)."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from bridge.connectors.base import Connector, Hydrate
from bridge.domain.ids import SourceId
from bridge.hydration.fetcher import Access
from bridge.hydration.targets import reach_of

_DEFAULT = "token"


def hydrate_of(credentials: Iterable[str], options: Mapping[str, Any]) -> Hydrate | None:
    """Return how a source fetches, None where it names no credential; raise ValueError for options that cannot be meant.

    Options: `allowed_hosts` (list of `name` or `name:port`), `fetch_url` (in place of the sender's scheme and host; one
    written with its port is a stand-in and may be local), `fetch_max_bytes`, `fetch_per_minute`.
    """
    names = list(credentials)
    if not names:
        return None
    hosts, base = options.get("allowed_hosts", []), options.get("fetch_url", "")
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise ValueError("options.allowed_hosts: expected a list of host names")
    if not isinstance(base, str):
        raise ValueError("options.fetch_url: expected a URL")  # noqa: TRY004 - a fault of the config, as the others
    return Hydrate(
        auth=_DEFAULT if _DEFAULT in names else names[0],
        base_url=base.strip(),
        hosts=tuple(hosts),
        allow_private=_names_port(base),
        max_bytes=_number(options, "fetch_max_bytes", 1_048_576, most=20_000_000),
        per_minute=_number(options, "fetch_per_minute", 120, most=6_000),
    )


def access_of(source_id: SourceId, connector: Connector, hydrate: Hydrate, credentials: Mapping[str, str]) -> Access:
    """Return all that fetching for a source takes; raise ValueError for hosts that cannot be meant."""
    return Access(
        source_id=source_id, reach=reach_of(connector.hosts, hydrate), hydrate=hydrate,
        credentials={name: value.strip() for name, value in credentials.items()},
    )  # fmt: skip


def hydrate_faults(connector: Connector, credentials: Iterable[str], options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is wrong with the options of a source's fetches, one sentence each."""
    try:
        hydrate = hydrate_of(credentials, options)
    except ValueError as wrong:
        return (str(wrong),)
    if hydrate is None:
        return ()
    found = []
    for name, part in (("allowed_hosts", Hydrate(hosts=hydrate.hosts)), ("fetch_url", _base_only(hydrate))):
        try:
            reach_of(connector.hosts, part)
        except ValueError as wrong:
            found.append(f"options.{name}: {wrong}")
    return tuple(found)


def _base_only(hydrate: Hydrate) -> Hydrate:
    return Hydrate(base_url=hydrate.base_url, allow_private=hydrate.allow_private)


def _names_port(url: str) -> bool:
    try:
        return urlsplit(url).port is not None
    except ValueError:
        return False


def _number(options: Mapping[str, Any], name: str, usual: int, *, most: int) -> int:
    value = options.get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise ValueError(f"options.{name}: expected a whole number from 1 to {most}")
    return value
