"""Who is let in: tokens, app keys, tenants, scopes, the rate limit, and many tenants in one simulator."""

from typing import Any

import pytest

from bridge.simulator.state import Simulator
from bridge.simulator.switches import Switches


async def test_a_token_is_a_jwt_like_text_that_lasts_900_seconds(far: Any, time: Any) -> None:
    await far.get("/customers")
    assert far.headers["authorization"].count(".") == 2
    time.pass_seconds(899)
    assert (await far.ask("GET", "/customers")).status_code == 200
    time.pass_seconds(1)
    answer = await far.ask("GET", "/customers")
    assert answer.status_code == 401
    assert set(answer.json()) == {"type", "title", "status", "traceId", "errors", "data"}


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_id": "cid.demo", "client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "cid.nobody"}, "invalid_client"),
    ],
)
async def test_bad_credentials_answer_as_an_identity_server_does(http: Any, form: Any, error: str) -> None:
    answer = await http.post("/connect/token", data=form)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


async def test_a_foreign_app_key_or_tenant_is_forbidden(far: Any, simulator: Simulator) -> None:
    await far.get("/customers")
    answer = await far.http.get("/crm/v2/tenant/2000002/customers", headers=far.headers)
    assert answer.status_code == 403
    simulator.switches = Switches(tenant_mismatch_status=404, bad_app_key_status=401)
    answer = await far.http.get("/crm/v2/tenant/2000002/customers", headers=far.headers)
    assert answer.status_code == 404
    answer = await far.http.get("/crm/v2/tenant/1000001/customers", headers={**far.headers, "st-app-key": "ak1.other"})
    assert answer.status_code == 401


async def test_a_missing_scope_is_forbidden(far: Any, simulator: Simulator) -> None:
    names = {"client_id": "cid.narrow", "client_secret": "s", "app_key": "ak1.demo"}
    simulator.add_client(1000001, **names, booking_provider=501, scopes=frozenset({"tn.crm.bookings:r"}))
    narrow = type(far)(far.http, simulator, client_id="cid.narrow")
    assert (await narrow.ask("GET", "/booking-provider/501/bookings")).status_code == 200
    assert (await narrow.ask("GET", "/customers")).status_code == 403


async def test_sixty_requests_a_second_for_each_app_and_tenant(far: Any, simulator: Simulator, time: Any) -> None:
    simulator.add_tenant(1000002, client_id="cid.two", client_secret="cs1.two", app_key="ak1.demo")
    other = type(far)(far.http, simulator, client_id="cid.two")
    statuses = [(await far.ask("GET", "/customers")).status_code for _ in range(61)]
    assert (statuses.count(200), statuses.count(429)) == (60, 1)
    assert (await other.ask("GET", "/customers")).status_code == 200
    answer = await far.ask("GET", "/customers")
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["title"].split()[-2] == "1"
    time.pass_seconds(0.5)
    statuses = [(await far.ask("GET", "/customers")).status_code for _ in range(31)]
    assert (statuses.count(200), statuses.count(429)) == (30, 1)


async def test_tenants_do_not_see_each_other(far: Any, simulator: Simulator) -> None:
    simulator.add_tenant(1000002, client_id="cid.two", client_secret="cs1.two", app_key="ak1.demo")
    other = type(far)(far.http, simulator, client_id="cid.two")
    made = await far.book("shared")
    assert (await other.get("/booking-provider/501/bookings", externalId="shared"))["data"] == []
    assert (await other.ask("GET", f"/booking-provider/501/bookings/{made['id']}")).status_code == 404
    await other.book("shared")
    assert simulator.count("booking.created", external_id="shared", tenant=1000002) == 1
    assert simulator.count("booking.created", external_id="shared") == 2


async def test_token_requests_can_be_throttled(http: Any, simulator: Simulator) -> None:
    simulator.switches = Switches(token_requests_per_minute=1)
    form = {"grant_type": "client_credentials", "client_id": "cid.demo", "client_secret": "cs1.demo"}
    assert [(await http.post("/connect/token", data=form)).status_code for _ in range(2)] == [200, 429]


async def test_unknown_paths_and_methods(far: Any) -> None:
    assert (await far.ask("GET", "/shoes")).status_code == 404
    answer = await far.ask("DELETE", "/customers")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert (await far.ask("GET", "/customers/abc")).status_code == 400


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'"x"', b"\xff"])
async def test_bodies_that_are_no_object_are_refused(far: Any, body: bytes) -> None:
    await far.log_in()
    path = "/crm/v2/tenant/1000001/booking-provider/501/bookings"
    headers = {**far.headers, "content-type": "application/json"}
    assert (await far.http.post(path, content=body, headers=headers)).status_code == 400
