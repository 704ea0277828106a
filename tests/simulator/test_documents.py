"""The simulator against ServiceTitan's own OpenAPI documents: everything in scope is served, and answers in the documented shape."""

import asyncio
import contextlib
import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bridge.simulator.app import create_app
from bridge.simulator.contract import load
from bridge.simulator.generator import Town, attach
from bridge.simulator.hooks import Subscription, cloud_event
from bridge.simulator.openapi import document
from bridge.simulator.state import Simulator
from bridge.simulator.switches import Switches
from bridge.simulator.transport import SimulatorTransport

IN_SCOPE = {
    "crm": ("crm-v2", "/crm/v2", r".*"),
    "marketing": ("marketing-v2", "/marketing/v2", r"Campaigns_(GetList|Create|Get|Update)$|CampaignCategories_"),
    "settings": (
        "settings-v2",
        "/settings/v2",
        r"BusinessUnits_|TagTypes_|Export_|(Employees|Technicians)_(GetList|Get)$",
    ),
    "jpm": ("jpm-v2", "/jpm/v2", r"JobTypes_|Jobs_(GetList|Get|GetCustomFieldTypes)$|Export_Jobs$"),
    "jbce": ("jbce-v2", "/jbce/v2", r".*"),
    "marketingads": ("marketing-ads-v2", "/marketingads/v2", r".*Attributions_Create|AttributedLeads_Get"),
    "telecom": ("telecom", "/telecom", r"Export_Calls"),
}


def official(shared: Path, module: str) -> dict[str, Any]:
    """Return ServiceTitan's document of a module, cut down to what is in scope."""
    name, _, pattern = IN_SCOPE[module]
    found: dict[str, Any] = json.loads(
        (shared / "servicetitan-openapi" / "2026-05" / f"{name}.json").read_text("utf-8")
    )
    paths: dict[str, Any] = {}
    for path, operations in found["paths"].items():
        kept = {
            method: operation for method, operation in operations.items() if re.match(pattern, operation["operationId"])
        }
        if kept:
            paths[path] = kept
    return {**found, "paths": paths}


@pytest.mark.parametrize("module", IN_SCOPE)
def test_every_operation_in_scope_is_served_with_its_parameters_bodies_and_errors(
    shared_dir: Path, module: str
) -> None:
    base = IN_SCOPE[module][1]
    ours = document()
    for path, operations in official(shared_dir, module)["paths"].items():
        for method, theirs in operations.items():
            mine = ours["paths"][base + path][method]
            assert {p["name"] for p in theirs["parameters"]} == {p["name"] for p in mine["parameters"]}, path
            assert theirs["responses"].keys() - {"200"} <= mine["responses"].keys(), path
            assert ("requestBody" in theirs) == ("requestBody" in mine), path
            assert bool(theirs["responses"]["200"].get("content")) == bool(mine["responses"]["200"].get("content")), (
                path
            )


def test_the_crm_has_its_86_operations() -> None:
    assert len(next(module for module in load() if module.name == "crm").operations) == 86


@pytest.mark.parametrize("module", IN_SCOPE)
def test_every_type_has_the_documented_members(shared_dir: Path, module: str) -> None:
    theirs = official(shared_dir, module)["components"]["schemas"]
    mine = next(one for one in load() if one.name == module)
    by_members = [set(schema.get("properties", {})) for schema in theirs.values()]
    enums = [list(map(str, schema["enum"])) for schema in theirs.values() if "enum" in schema]
    for schema in mine.schemas.values():
        if schema.members:
            assert list(schema.members) in [[one for one in enum if one != "None"] for enum in enums] + enums, (
                schema.name
            )
        else:
            assert {field.name for field in schema.fields} in by_members, schema.name


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


class Stranger:
    """Sends what schemathesis makes up, with names of records that are there in half of the paths."""

    def __init__(self) -> None:
        switches = Switches(rate_limit_per_second=0, token_seconds=86_400)
        self.simulator = Simulator(seed=3, now=lambda: datetime(2026, 3, 2, tzinfo=UTC), switches=switches)
        self.account = self.simulator.accounts[1000001]
        attach(self.account, Town(seed=3, customers=60))
        self.transport = SimulatorTransport(create_app(self.simulator, send_webhooks=False))
        token = self.simulator.grants.issue(
            self.simulator.clients["cid.open"], seconds=86_400, now=self.simulator.now()
        )
        self.headers = {"authorization": f"Bearer {token}", "st-app-key": "ak1.demo"}

    def know(self, path: str) -> dict[str, Any]:
        """Return values for the path's parameters that name records that are there."""
        account = self.account
        known: dict[str, Any] = {"tagTypeId": 801, "preferredTechnicianId": 1301, "preferenceName": "JobReminders"}
        known |= {"typeSlug": "customer", "relatedEntityId": 10_000_001, "relationshipId": 10_000_001}
        word = path.removeprefix("/tenant/{tenant}/").split("/")[0].replace("-", "_")
        table = account.tables.get("bookings" if word == "booking_provider" else word)
        if table is not None and (first := next(iter(table), None)):
            known["id"] = first["id"]
        contacts = {
            "booking_provider": "booking_contacts",
            "customers": "customer_contacts",
            "locations": "location_contacts",
        }
        for name, of in (("contactId", contacts.get(word, "contacts")), ("contactMethodId", "contact_methods")):
            if first := next(iter(account.tables[of]), None):
                known[name] = first["id"]
        return known

    def send(self, case: Any, base: str) -> httpx.Response:
        """Send a made-up request and return what comes back."""
        made = case.as_transport_kwargs(base_url=f"http://st.example.com{base}", headers=self.headers)
        names = ("method", "url", "headers", "params", "json", "data")
        prepared = requests.Request(**{name: made.get(name) for name in names}).prepare()
        request = httpx.Request(prepared.method, prepared.url, headers=dict(prepared.headers), content=prepared.body)
        request.headers.update(self.headers)  # what is made up about credentials is not the documents' business

        async def serve() -> httpx.Response:
            answer = await self.transport.handle_async_request(request)
            await answer.aread()
            return answer

        answer = asyncio.run(serve())
        answer.elapsed = timedelta(0)
        return answer


def prober(stranger: Stranger, operation: Any, *, base: str, mode: GenerationMode, seen: set[int]) -> Any:
    """Return the property test of one operation; statuses gather in `seen`."""
    fixed: dict[str, Any] = {"tenant": 1000001}
    if "{booking_provider}" in operation.path:
        fixed["booking_provider"] = 501

    @settings(
        max_examples=int(os.environ.get("SIMULATOR_EXAMPLES", "3")),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=strategies.data())
    def probe(data: Any) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        known = stranger.know(operation.path) if data.draw(strategies.booleans()) else {}
        case.path_parameters = {**(case.path_parameters or {}), **fixed}
        case.path_parameters |= {name: value for name, value in known.items() if name in case.path_parameters}
        answer = stranger.send(case, base)
        seen.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    return probe


@pytest.mark.parametrize("module", IN_SCOPE)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")
def test_no_undocumented_status_or_shape_is_found(shared_dir: Path, module: str, mode: GenerationMode) -> None:
    stranger, base = Stranger(), IN_SCOPE[module][1]
    schema = schemathesis.openapi.from_dict(official(shared_dir, module))
    seen = set[int]()
    # Creates first, so that the others find something.
    for operation in sorted(
        (found.ok() for found in schema.get_all_operations()), key=lambda one: one.method != "post"
    ):
        with contextlib.suppress(Unsatisfiable):
            prober(stranger, operation, base=base, mode=mode, seen=seen)()
    assert seen & {200, 400}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("tn.crm.booking-updated", "CloudEvent_Of_Crm.V2.Webhooks.BookingUpdatedWebhookPayload"),
        ("tn.crm.lead-created", "CloudEvent_Of_Crm.V2.Webhooks.LeadCreatedWebhook"),
        ("tn.crm.lead-updated", "CloudEvent_Of_Crm.V2.Webhooks.LeadUpdatedWebhook"),
    ],
)
async def test_webhooks_have_the_documented_shape(
    shared_dir: Path, far: Any, simulator: Simulator, kind: str, name: str
) -> None:
    text = (shared_dir / "servicetitan-openapi" / "webhook-schemas" / "crm-v2.json").read_text("utf-8")
    schemas = json.loads(text)["components"]["schemas"]
    simulator.webhooks.subscriptions.append(Subscription(tenant=1000001, url="http://bridge.example.com"))
    address = {"street": "1 Oak St", "city": "Austin", "state": "TX", "zip": "78701", "country": "USA"}
    made = await far.book("e1", address=address, priority="High")
    await far.patch(f"/booking-provider/501/bookings/{made['id']}", {"summary": "changed"})
    lead = {"campaignId": 601, "summary": "Quote", "callReasonId": 901, "leadCity": "Austin"}
    lead_id = (await far.post("/leads", lead))["id"]
    await far.patch(f"/leads/{lead_id}", {"leadPhone": "512-555-0105"})
    sent = [one for one in simulator.webhooks.deliveries if one.kind == kind]
    assert sent
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
    for one in sent:
        jsonschema_rs.validate(_plain_schema(schema), json.loads(cloud_event(one, "d-1")))


def _plain_schema(schema: Any) -> Any:
    """Return an OpenAPI 3.0 schema as JSON Schema: `nullable` becomes a type of its own."""
    if isinstance(schema, list):
        return [_plain_schema(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _plain_schema(value) for key, value in schema.items() if key != "example"}
    return {"anyOf": [plain, {"type": "null"}]} if plain.pop("nullable", False) is True else plain
