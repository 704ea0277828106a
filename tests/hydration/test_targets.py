"""Where a fetch may go: every spelling of a private address is refused, every host but the sender's too."""

import pytest

from bridge.connectors.base import Hydrate
from bridge.domain.outcome import Rejected
from bridge.domain.reasons import Reason
from bridge.hydration.addresses import is_local, is_public, read_address
from bridge.hydration.configured import hydrate_of
from bridge.hydration.targets import Target, aim, place_of, reach_of

GRAPH = reach_of({"graph.facebook.com"}, Hydrate())
STAND_IN = reach_of(
    {"graph.facebook.com"}, Hydrate(base_url="http://127.0.0.1:8377/_senders/graph", allow_private=True)
)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
        "169.254.169.254", "192.0.0.192", "198.18.0.1", "203.0.113.9", "224.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::", "2001:0:7f00:1::", "fe80::1",
        "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "100::1", "3fff::1", "5f00::1",
    ],
)  # fmt: skip
def test_no_address_of_the_inside_is_public(address: str) -> None:
    found = read_address(address)
    assert found is not None
    assert not is_public(found)
    assert not GRAPH.may_connect(address, 443)


@pytest.mark.parametrize("address", ["157.240.1.1", "2a03:2880:f003::1", "64:ff9b::9df0:101", "::ffff:157.240.1.1"])
def test_public_addresses_may_be_connected_to_at_the_hosts_port_alone(address: str) -> None:
    assert GRAPH.may_connect(address, 443)
    assert not GRAPH.may_connect(address, 80)
    assert not GRAPH.may_connect(address, 5432)


@pytest.mark.parametrize(
    "address", ["fe80::1%eth0", "::1%lo", "0177.0.0.1", "2130706433", "127.1", "0x7f.0.0.1", "", "x"]
)
def test_what_is_no_plain_address_is_never_connected_to(address: str) -> None:
    assert not GRAPH.may_connect(address, 443)
    assert not STAND_IN.may_connect(address, 8377)


def test_a_stand_in_may_be_local_at_its_port_and_never_a_clouds_metadata() -> None:
    assert STAND_IN.may_connect("127.0.0.1", 8377)
    assert STAND_IN.may_connect("10.0.0.7", 8377)
    assert not STAND_IN.may_connect("127.0.0.1", 5432)
    assert not STAND_IN.may_connect("169.254.169.254", 8377)
    assert not STAND_IN.may_connect("fd00:ec2::254", 8377)
    assert not any(is_local(found) for found in (read_address("169.254.169.254"), read_address("8.8.8.8")) if found)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/1", "https://graph.facebook.com.evil.example.com/1", "https://graph.facebook.com:8443/1",
        "http://graph.facebook.com/1", "https://127.0.0.1/1", "https://[::1]/1", "https://2130706433/", "ftp://graph.facebook.com/",
        "https://graph.facebook.com@evil.example.com/", "https://evil.example.com\\@graph.facebook.com/", "//graph.facebook.com/",
        "https://graph.facebook.com/\r\nhost: x", "https://graph.facebook.com:99999/", "https://graph.facebook.com:abc/", "file:///etc/passwd",
        "https:///x", "https://graph.facebook.com/v23.0/..?fields=id", "https://graph.facebook.com/a/%2e%2E/b", "https://graph.facebook.com/" + "a" * 9000, "https://gräph.facebook.com/", "",
    ],
)  # fmt: skip
def test_a_fetch_goes_to_the_senders_hosts_alone(url: str) -> None:
    found = aim(url, GRAPH)
    assert isinstance(found, Rejected)
    assert found.reason == Reason.FETCH_FORBIDDEN


def test_the_senders_host_is_reached_however_it_is_written() -> None:
    assert aim("https://GRAPH.facebook.com./v1/2?a=b", GRAPH) == Target(
        "https://GRAPH.facebook.com./v1/2?a=b", "graph.facebook.com", 443
    )


def test_a_stand_in_takes_the_place_of_the_senders_host() -> None:
    found = aim("https://graph.facebook.com/v23.0/77?fields=id", STAND_IN)
    assert found == Target("http://127.0.0.1:8377/_senders/graph/v23.0/77?fields=id", "127.0.0.1", 8377)
    assert isinstance(aim(found.url, STAND_IN), Target)


@pytest.mark.parametrize("name", ["127.0.0.1", "::1", "a b", "", "host:0", "host:99999", "host:x", "*.example.com"])
def test_the_config_allows_host_names_alone(name: str) -> None:
    with pytest.raises(ValueError, match=r"host name|port|invalid literal"):
        place_of(name)


@pytest.mark.parametrize(
    "options",
    [
        {"fetch_max_bytes": 0}, {"fetch_max_bytes": True}, {"fetch_per_minute": "many"}, {"allowed_hosts": "one.example.com"},
        {"fetch_url": 8377}, {"allowed_hosts": [1]},
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"options\."):
        hydrate_of(["token"], options)


def test_a_stand_in_must_be_written_with_its_port() -> None:
    with pytest.raises(ValueError, match="stand-in"):
        reach_of(set(), Hydrate(base_url="http://localhost", allow_private=False))
