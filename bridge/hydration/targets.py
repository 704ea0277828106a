"""Where the fetches of one source may go: hosts of the sender, those the config adds, one named stand-in (pure)."""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit

from bridge.connectors.base import Hydrate
from bridge.domain.outcome import Rejected
from bridge.domain.reasons import Reason
from bridge.hydration.addresses import is_local, is_public, read_address

_URL = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(?:[/?][A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%\-]*)?", re.ASCII)
"""What every URL reader takes alike. Blanks, control characters, backslashes and userinfo are where readers differ."""
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_DOTS = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_PORTS = {"https": 443, "http": 80}


class AddressForbidden(OSError):
    """The name leads to an address that this source may not reach; nothing was sent."""


class Place(NamedTuple):
    """A host and port; the scheme is https for all but a stand-in."""

    host: str
    port: int


class Reach(NamedTuple):
    """Where one source may fetch. `base` replaces scheme and host of every URL; `stand_in` is the one place that may be local."""

    places: frozenset[Place]
    base: str = ""
    stand_in: Place | None = None

    def allows(self, host: str, port: int) -> bool:
        """Tell whether a host may be looked up and spoken to at a port."""
        place = Place(host.lower().rstrip("."), port)
        return place in self.places or place == self.stand_in

    def may_connect(self, address: str, port: int) -> bool:
        """Tell whether a connection may be made: a public address, or the stand-in's port at a local one."""
        found = read_address(address)
        if found is None:
            return False
        if is_public(found):
            return any(place.port == port for place in self.places)
        return self.stand_in is not None and self.stand_in.port == port and is_local(found)


class Target(NamedTuple):
    """A URL that may be fetched; `host` names it in logs and budgets."""

    url: str
    host: str
    port: int


def reach_of(hosts: Iterable[str], hydrate: Hydrate) -> Reach:
    """Return where a source may fetch: the sender's hosts and the config's, `name` or `name:port`; raise ValueError for others."""
    places = frozenset(place_of(name) for name in (*hosts, *hydrate.hosts))
    if not hydrate.base_url:
        return Reach(places)
    if not _URL.fullmatch(hydrate.base_url):
        raise ValueError("it is no plain http or https URL")
    parts = urlsplit(hydrate.base_url)
    place = Place((parts.hostname or "").lower(), parts.port or _PORTS[parts.scheme])
    if hydrate.allow_private:
        return Reach(places, hydrate.base_url.rstrip("/"), place)
    if parts.scheme != "https":
        raise ValueError("it is neither https nor a stand-in written with its port")
    return Reach(places | {place}, hydrate.base_url.rstrip("/"))


def place_of(name: str) -> Place:
    """Return the place that `name` or `name:port` means, at port 443; raise ValueError for what is no host name."""
    host, colon, port = name.strip().lower().rstrip(".").partition(":")
    if not _HOST.fullmatch(host) or read_address(host) is not None or (colon and not port.isascii()):
        raise ValueError(f"{name!r} is no host name")
    number = int(port) if colon else 443
    if not 0 < number < 65536:
        raise ValueError(f"{name!r} has no usable port")
    return Place(host, number)


def aim(url: str, reach: Reach) -> Target | Rejected:
    """Return where a described fetch really goes, or why it may not go there; an address in the URL is never followed."""
    if len(url) > 8_000 or not _URL.fullmatch(url):
        return _forbidden("the address is not written plainly")
    if _DOTS.search(urlsplit(url).path):  # a record's id of `..` would make it another request with our credential
        return _forbidden("the path leads upwards")
    try:
        parts = urlsplit(url)
        host, port = _host_and_port(parts)
        if reach.base and Place(host, port) in reach.places and not _is_below(url, reach.base):
            parts = _rebased(parts, urlsplit(reach.base))
            host, port = _host_and_port(parts)
    except ValueError:
        return _forbidden("the address cannot be read")
    if not reach.allows(host, port):
        return _forbidden(f"{host[:100]}:{port} is not among the hosts of this source")
    if parts.scheme != "https" and Place(host, port) != reach.stand_in:
        return _forbidden(f"{host[:100]} must be spoken to by https")
    return Target(urlunsplit(parts._replace(fragment="")), host, port)


def _host_and_port(parts: SplitResult) -> Place:
    return Place((parts.hostname or "").lower().rstrip("."), parts.port or _PORTS[parts.scheme])


def _is_below(url: str, base: str) -> bool:
    return url == base or url.startswith((f"{base}/", f"{base}?"))


def _rebased(parts: SplitResult, base: SplitResult) -> SplitResult:
    """Put the base of the config in place of scheme and host."""
    return parts._replace(scheme=base.scheme, netloc=base.netloc, path=base.path + parts.path)


def _forbidden(detail: str) -> Rejected:
    return Rejected(reason=Reason.FETCH_FORBIDDEN, detail=detail)


def is_forbidden(error: BaseException) -> bool:
    """Tell whether an error of the client goes back to an address that is not allowed."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        if isinstance(one, AddressForbidden):
            return True
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__, getattr(one, "os_error", None)]
        waiting += getattr(one, "exceptions", ())
    return False
