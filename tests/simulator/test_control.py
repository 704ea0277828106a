"""The control API: ledger, log, faults, time, tenants, edits by hand."""

from typing import Any

from bridge.simulator.state import Simulator


async def control(far: Any, verb: str, to: str, json: Any = None, **params: Any) -> Any:
    answer = await far.http.request(verb, f"/_simulator/{to}", json=json, params=params)
    assert answer.is_success, answer.text
    return answer.json() if answer.content and answer.text != "null" else None


async def test_the_ledger_counts_by_external_id_customer_location_and_kind(far: Any) -> None:
    await far.book("e1")
    await far.book("e2")
    await far.book("e2")
    made = await far.customer()
    found = await control(far, "GET", "ledger", externalId="e2")
    assert (found["count"], found["duplicates"]) == (2, {"e2": 2})
    assert found["entries"][0]["requestId"] != found["entries"][1]["requestId"]
    assert (await control(far, "GET", "ledger", kind="booking.*"))["count"] == 3
    of_customer = await control(far, "GET", "ledger", customerId=made["id"])
    assert of_customer["kinds"]["customer.created"] == 1
    location = made["locations"][0]["id"]
    assert (await control(far, "GET", "ledger", locationId=location, kind="location.created"))["count"] == 1
    assert (await control(far, "GET", "ledger", tenant=5))["count"] == 0


async def test_the_log_tells_who_asked_what(far: Any) -> None:
    await far.book("e1")
    found = await control(far, "GET", "requests", method="post", path="booking-provider")
    (entry,) = found["requests"]
    assert (entry["operation"], entry["clientId"], entry["status"]) == ("crm.Bookings_Create", "cid.demo", 200)
    assert "e1" in entry["body"]
    token = (await control(far, "GET", "requests", path="connect"))["requests"][0]
    assert token["body"] == ""


async def test_faults_are_scripted_over_http(far: Any, simulator: Simulator) -> None:
    await control(far, "POST", "faults", [{"action": "error_before", "status": 503, "method": "GET", "times": 1}])
    assert (await far.ask("GET", "/customers")).status_code == 503
    (rule,) = await control(far, "GET", "faults")
    assert rule["hits"] == 1
    await control(far, "PUT", "faults/profile", {"name": "chaos"})
    assert len(simulator.faults.rules) > 10
    await control(far, "DELETE", "faults")
    assert simulator.faults.rules == []
    assert (await far.http.post("/_simulator/faults", json=[{"action": "explode"}])).status_code == 400
    assert (await far.http.put("/_simulator/faults/profile", json={"name": "wild"})).status_code == 404


async def test_time_moves_when_told(far: Any) -> None:
    await far.get("/customers")
    await control(far, "POST", "time", {"seconds": 901})
    assert (await far.ask("GET", "/customers")).status_code == 401


async def test_switches_are_read_and_set(far: Any) -> None:
    await control(far, "PUT", "switches", {"duplicateExternalIdConflicts": True})
    assert (await control(far, "GET", "switches"))["duplicateExternalIdConflicts"] is True
    assert (await far.http.put("/_simulator/switches", json={"duplicates": True})).status_code == 400


async def test_a_tenant_is_added_populated_edited_and_shown(far: Any, simulator: Simulator) -> None:
    given = {
        "tenant": 2000002,
        "clientId": "cid.b",
        "clientSecret": "cs1.b",
        "appKey": "ak1.b",
        "bookingProvider": None,
    }
    assert 2000002 in (await control(far, "POST", "tenants", given))["tenants"]
    counts = await control(far, "POST", "customers", {"tenant": 2000002, "customers": 40, "seed": 5})
    assert counts["customers"] == 40
    other = type(far)(far.http, simulator, client_id="cid.b")
    first = (await other.get("/customers", pageSize=1))["data"][0]
    arguments = {"party": "customer", "id": first["id"], "type_id": 1001, "value": "Spanish"}
    await control(far, "POST", "edits", {"tenant": 2000002, "action": "set_custom_field", "arguments": arguments})
    fields = (await other.get(f"/customers/{first['id']}"))["customFields"]
    assert (1001, "Spanish") in [(field["typeId"], field["value"]) for field in fields]
    assert (await control(far, "GET", "ledger", by="operator"))["count"] == 1
    assert (await control(far, "GET", "rows", tenant=2000002, table="customers", limit=3))["count"] == 40


async def test_a_csr_converts_a_booking_into_a_job(far: Any, simulator: Simulator) -> None:
    made = await far.book("e1", jobTypeId=701)
    edit = {"tenant": 1000001, "action": "convert_booking", "arguments": {"booking_id": made["id"]}}
    answer = await control(far, "POST", "edits", edit)
    assert answer["status"] == "Converted"
    (job,) = (await far.get("/jobs", module="jpm/v2", bookingId=made["id"]))["data"]
    assert job["id"] == (await far.get(f"/booking-provider/501/bookings/{made['id']}"))["jobId"]
    assert (await far.get(f"/customers/{job['customerId']}"))["name"] == "Ann Lee"
    assert simulator.count("booking.converted", external_id="e1", by="operator") == 1
    wrong = {"tenant": 1000001, "action": "convert_booking", "arguments": {"booking_id": 5}}
    assert (await far.http.post("/_simulator/edits", json=wrong)).status_code == 400


async def test_reset_forgets_all(far: Any, simulator: Simulator) -> None:
    await far.book("e1")
    await control(far, "POST", "reset")
    assert simulator.count() == 0
    far.headers = {}
    assert (await far.get("/booking-provider/501/bookings"))["data"] == []


async def test_its_openapi_documents_are_published(far: Any) -> None:
    theirs = await control(far, "GET", "openapi.json")
    assert "/crm/v2/tenant/{tenant}/booking-provider/{booking_provider}/bookings" in theirs["paths"]
    answer = await far.http.get("/_simulator/docs/openapi.json")
    assert "/_simulator/ledger" in answer.json()["paths"]
