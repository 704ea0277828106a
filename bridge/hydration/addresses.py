"""Which addresses a fetch may connect to (pure).

The standard library's `is_global` is no guide here: in Python 3.11 it calls NAT64 and 6to4 forms of 127.0.0.1,
`::127.0.0.1`, multicast and site-local addresses global.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_NOT_PUBLIC_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_PUBLIC_V6 = IPv6Network("2000::/3")
"""The only part of IPv6 that is given out for use across the internet."""
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
_NAT64 = IPv6Network("64:ff9b::/96")

_LOCAL = tuple(IPv4Network(block) for block in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_LOCAL_V6 = (IPv6Network("::1/128"), IPv6Network("fc00::/7"))
_METADATA = frozenset({IPv6Address("fd00:ec2::254"), IPv6Address("fd20:ce::254")})
"""Clouds hand out credentials here, within the private range."""


def read_address(text: str) -> Address | None:
    """Return the address a text is, with an IPv4 one inside IPv6 brought out; None for a name or a scoped address."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        if found.scope_id is not None:
            return None
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found in _NAT64:  # how an IPv6-only network reaches IPv4: what counts is where it leads
            return IPv4Address(int(found) & 0xFFFFFFFF)
    return found


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the internet at large: no private, loopback, link-local, metadata or test network."""
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _NOT_PUBLIC_V4)
    return address in _PUBLIC_V6 and not any(address in block for block in _NOT_PUBLIC_V6)


def is_local(address: Address) -> bool:
    """Tell whether a stand-in may live here: loopback or a private network, never link-local or a cloud's metadata."""
    if isinstance(address, IPv4Address):
        return any(address in block for block in _LOCAL)
    return address not in _METADATA and any(address in block for block in _LOCAL_V6)
