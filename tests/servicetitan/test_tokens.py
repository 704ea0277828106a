"""One token for many calls: fetched once, kept until shortly before its end, and a refusal is shared."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from bridge.domain.outcome import Deferred, Succeeded
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.credentials import Credentials

Handler = Callable[[httpx.Request], httpx.Response]


class Issuer:
    """A far side that counts tokens and remembers which ones were shown to it."""

    def __init__(self) -> None:
        self.issued = 0
        self.shown: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.refusal: httpx.Response | None = None
        self.body: dict[str, Any] = {"expires_in": 900}

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/connect/token":
            self.shown.append(request.headers["authorization"])
            return httpx.Response(200, json={"page": 1, "pageSize": 50, "hasMore": False, "data": []})
        self.issued += 1
        number = self.issued
        await self.gate.wait()
        return self.refusal or httpx.Response(200, json={"access_token": f"t{number}", **self.body})


@pytest.fixture
async def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def st(issuer: Issuer, clock: Any) -> AsyncIterator[ServiceTitan]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(issuer.handle)) as http:
        credentials = Credentials(tenant_id=1, client_id="cid", client_secret="cs", app_key="ak")
        yield ServiceTitan(credentials, http, clock)


async def test_a_hundred_callers_share_one_token_request(st: ServiceTitan, issuer: Issuer) -> None:
    issuer.gate.clear()
    calls = [asyncio.create_task(st.customers.list()) for _ in range(100)]
    await asyncio.sleep(0)
    issuer.gate.set()
    assert all(isinstance(one, Succeeded) for one in await asyncio.gather(*calls))
    assert issuer.issued == 1


async def test_the_token_is_kept_until_shortly_before_its_end(st: ServiceTitan, issuer: Issuer, clock: Any) -> None:
    await st.customers.list()
    clock.advance(seconds=839)
    await st.customers.list()
    assert issuer.issued == 1
    clock.advance(seconds=2)
    await st.customers.list()
    assert issuer.shown == ["Bearer t1", "Bearer t1", "Bearer t2"]


async def test_a_short_lived_token_is_used_for_half_its_life(st: ServiceTitan, issuer: Issuer, clock: Any) -> None:
    issuer.body = {"expires_in": 20}
    await st.customers.list()
    clock.advance(seconds=9)
    await st.customers.list()
    assert issuer.issued == 1
    clock.advance(seconds=2)
    await st.customers.list()
    assert issuer.issued == 2


@pytest.mark.parametrize("expires_in", [None, 0, -5, 1e300])
async def test_a_strange_lifetime_is_no_reason_to_fail(st: ServiceTitan, issuer: Issuer, expires_in: Any) -> None:
    issuer.body = {"expires_in": expires_in}
    await st.customers.list()
    assert isinstance(await st.customers.list(), Succeeded)
    assert issuer.issued == 1


async def test_a_caller_that_is_cancelled_does_not_take_the_token_from_the_others(
    st: ServiceTitan, issuer: Issuer
) -> None:
    issuer.gate.clear()
    first = asyncio.create_task(st.customers.list())
    await asyncio.sleep(0)
    second = asyncio.create_task(st.customers.list())
    await asyncio.sleep(0)
    first.cancel()
    issuer.gate.set()
    assert isinstance(await second, Succeeded)
    assert issuer.issued == 1


async def test_a_refusal_is_shared_by_all_who_wait(st: ServiceTitan, issuer: Issuer) -> None:
    issuer.refusal = httpx.Response(400, json={"error": "invalid_client"})
    issuer.gate.clear()
    calls = [asyncio.create_task(st.customers.list()) for _ in range(10)]
    await asyncio.sleep(0)
    issuer.gate.set()
    outcomes = await asyncio.gather(*calls)
    assert {(one.reason, one.detail, one.pauses_tenant) for one in outcomes if isinstance(one, Deferred)} == {
        ("credentials_refused", "invalid_client", True)
    }
    assert (issuer.issued, issuer.shown) == (1, [])


async def test_a_throttled_issuer_is_not_asked_before_its_time(st: ServiceTitan, issuer: Issuer, clock: Any) -> None:
    issuer.refusal = httpx.Response(429, headers={"retry-after": "30"})
    for waited in (30.0, 30.0):
        outcome = await st.customers.list()
        assert isinstance(outcome, Deferred)
        assert (outcome.reason, outcome.retry_after, outcome.backpressure) == ("rate_limited", waited, True)
    assert issuer.issued == 1
    issuer.refusal = None
    clock.advance(seconds=30)
    assert isinstance(await st.customers.list(), Succeeded)


@pytest.mark.parametrize(
    "refusal",
    [
        httpx.Response(503, html="<html>down</html>"),
        httpx.Response(200, text="<html>login</html>"),
        httpx.Response(200, json={"token_type": "Bearer"}),
        httpx.Response(200, json={"access_token": "a\r\nx: y"}),
    ],
)
async def test_no_token_means_nothing_was_sent(st: ServiceTitan, issuer: Issuer, refusal: httpx.Response) -> None:
    issuer.refusal = refusal
    outcome = await st.tags.add(body={"customerIds": [1], "tagTypeIds": [2]})
    assert isinstance(outcome, Deferred)
    assert (outcome.reason, outcome.pauses_tenant) == ("token_unavailable", False)
    assert issuer.shown == []


def test_secrets_do_not_show() -> None:
    shown = repr(Credentials(tenant_id=1, client_id="cid", client_secret="cs1.secret", app_key="ak1.secret"))
    assert "secret" not in shown.replace("client_secret", "")


@pytest.mark.parametrize(
    ("environment", "api", "auth"),
    [
        ("production", "https://api.servicetitan.io", "https://auth.servicetitan.io"),
        ("integration", "https://api-integration.servicetitan.io", "https://auth-integration.servicetitan.io"),
        ("http://127.0.0.1:8090/", "http://127.0.0.1:8090", "http://127.0.0.1:8090"),
    ],
)
def test_environments_have_their_hosts(environment: str, api: str, auth: str) -> None:
    made = Credentials.for_environment(environment, tenant_id=1, client_id="c", client_secret="s", app_key="a")
    assert (made.api_url, made.auth_url) == (api, auth)


def test_a_misspelled_environment_is_refused() -> None:
    with pytest.raises(ValueError, match="prodcution"):
        Credentials.for_environment("prodcution", tenant_id=1, client_id="c", client_secret="s", app_key="a")
