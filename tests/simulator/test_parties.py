"""Customers, locations, their contacts, notes, tags, custom fields and external data."""

from typing import Any

import pytest

from bridge.simulator import operator
from bridge.simulator.state import Simulator
from bridge.simulator.switches import Switches

GUID = "0d2f7a3e-9d0b-4c53-8f5d-1c8c8f8a0001"
OTHER_GUID = "0d2f7a3e-9d0b-4c53-8f5d-1c8c8f8a0002"


async def test_a_new_locations_contacts_are_copied_to_the_customer_as_other_records(far: Any) -> None:
    made = await far.customer()
    (at_location,) = made["locations"][0]["contacts"]
    (at_customer,) = (await far.get(f"/customers/{made['id']}/contacts"))["data"]
    assert at_location["value"] == at_customer["value"]
    assert at_location["id"] != at_customer["id"]


async def test_a_customer_carries_no_phone_and_is_found_by_the_phone_of_a_contact(far: Any) -> None:
    made = await far.customer()
    found = await far.get("/customers", phone="+1 (512) 555-0102")
    assert [row["id"] for row in found["data"]] == [made["id"]]
    assert "phone" not in found["data"][0]
    assert (await far.get("/customers", phone="512-555-0103"))["data"] == []


async def test_contact_changes_do_not_move_the_owners_modified_on(far: Any, time: Any) -> None:
    made = await far.customer()
    time.pass_seconds(60)
    path = f"/customers/{made['id']}/contacts"
    contact = await far.post(path, {"type": "Email", "value": "ann@example.com"})
    await far.patch(f"{path}/{contact['id']}", {"memo": "work"})
    assert (await far.get(f"/customers/{made['id']}"))["modifiedOn"] == made["modifiedOn"]
    assert (await far.get("/customers", modifiedOnOrAfter="2026-03-02T15:00:30Z"))["data"] == []
    moved = await far.get("/customers/contacts", modifiedOnOrAfter="2026-03-02T15:00:30Z")
    assert [row["memo"] for row in moved["data"]] == ["work"]


@pytest.mark.parametrize("path", ["/customers/contacts", "/locations/contacts"])
async def test_the_cross_owner_contact_lists_need_a_bound(far: Any, path: str) -> None:
    assert (await far.ask("GET", path)).status_code == 400


@pytest.mark.parametrize(("party", "first", "second"), [("customers", 1001, 1002), ("locations", 1101, 1102)])
async def test_a_change_replaces_all_custom_fields(far: Any, party: str, first: int, second: int) -> None:
    made = await far.customer()
    row_id = made["id"] if party == "customers" else made["locations"][0]["id"]
    await far.patch(f"/{party}/{row_id}", {"customFields": [{"typeId": first, "value": "a"}]})
    changed = await far.patch(f"/{party}/{row_id}", {"customFields": [{"typeId": second, "value": "b"}]})
    assert [(field["typeId"], field["value"]) for field in changed["customFields"]] == [(second, "b")]


async def test_the_switch_merges_a_customers_custom_fields(far: Any, simulator: Simulator) -> None:
    simulator.switches = Switches(customer_custom_fields_replaced=False)
    made = await far.customer(customFields=[{"typeId": 1001, "value": "Spanish"}])
    changed = await far.patch(f"/customers/{made['id']}", {"customFields": [{"typeId": 1002, "value": "b"}]})
    assert {field["typeId"] for field in changed["customFields"]} == {1001, 1002}


async def test_tags_are_added_once_removed_once_and_replaced_by_a_change(far: Any, simulator: Simulator) -> None:
    made = await far.customer()
    path = f"/customers/{made['id']}/tags"
    assert await far.post(f"{path}/801") == {"customerId": made["id"], "tagTypeIds": [801]}
    assert (await far.ask("POST", f"{path}/801")).status_code == 409
    assert (await far.ask("POST", f"{path}/99")).status_code == 404
    await far.patch(f"/customers/{made['id']}", {"tagTypeIds": [802, 803]})
    assert (await far.ask("DELETE", f"{path}/801")).status_code == 404
    assert (await far.ask("DELETE", f"{path}/802")).status_code == 200
    assert (await far.get(f"/customers/{made['id']}"))["tagTypeIds"] == [803]
    assert simulator.count("customer.tag_added", customer_id=made["id"]) == 1


async def test_bulk_tags_take_a_body_on_delete_and_answer_nothing(far: Any) -> None:
    one, two = await far.customer(), await far.customer()
    body = {"customerIds": [one["id"], two["id"]], "tagTypeIds": [801, 802]}
    answer = await far.ask("PUT", "/tags", body)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await far.ask("DELETE", "/tags", {**body, "tagTypeIds": [801]})).status_code == 200
    assert (await far.get(f"/customers/{two['id']}"))["tagTypeIds"] == [802]
    assert (await far.ask("PUT", "/tags", {**body, "customerIds": [5]})).status_code == 409


async def test_external_data_is_seen_only_with_the_guid_it_was_written_under(far: Any) -> None:
    given = {
        "applicationGuid": GUID,
        "externalData": [{"key": "crm", "value": "a-1"}, {"key": "tier", "value": "gold"}],
    }
    made = await far.customer(externalData=given)
    assert (await far.get(f"/customers/{made['id']}"))["externalData"] == []
    assert (await far.get("/customers", externalDataApplicationGuid=OTHER_GUID))["data"][0]["externalData"] == []
    wanted = {"externalDataApplicationGuid": GUID, "externalDataKey": "crm", "externalDataValues": "a-0,a-1"}
    (found,) = (await far.get("/customers", **wanted))["data"]
    assert {one["key"]: one["value"] for one in found["externalData"]} == {"crm": "a-1", "tier": "gold"}
    assert (
        await far.ask("GET", "/customers", externalDataApplicationGuid=GUID, externalDataKey="crm")
    ).status_code == 400


@pytest.mark.parametrize(
    ("mode", "left"), [("Merge", {"crm": "a-1", "x": "1"}), ("Replace", {"x": "1"}), (None, {"x": "1"})]
)
async def test_external_data_is_replaced_or_merged(far: Any, mode: Any, left: Any) -> None:
    data = [{"key": "crm", "value": "a-1"}, {"key": "tier", "value": "gold"}]
    made = await far.customer(externalData={"applicationGuid": GUID, "externalData": data})
    change = [{"key": "x", "value": "1"}, {"key": "tier", "value": None}]
    given = {"applicationGuid": GUID, "externalData": change} | ({"patchMode": mode} if mode else {})
    changed = await far.patch(f"/customers/{made['id']}", {"externalData": given})
    assert {one["key"]: one["value"] for one in changed["externalData"]} == left


async def test_inactive_rows_are_hidden_by_default(far: Any) -> None:
    made = await far.customer()
    await far.patch(f"/customers/{made['id']}", {"active": False})
    assert (await far.get("/customers"))["data"] == []
    assert len((await far.get("/customers", active="Any"))["data"]) == 1
    assert len((await far.get("/customers", active="false"))["data"]) == 1
    assert (await far.get(f"/customers/{made['id']}"))["active"] is False


async def test_a_merged_customer_names_its_survivor_and_gives_it_its_locations(far: Any, simulator: Simulator) -> None:
    one, two = await far.customer(), await far.customer(name="Ann M. Lee")
    await far.post(f"/customers/{one['id']}/contacts", {"type": "Email", "value": "ann@example.com"})
    operator.merge_customers(simulator.operator(1000001), source_id=one["id"], target_id=two["id"])
    gone = await far.get(f"/customers/{one['id']}")
    assert (gone["active"], gone["mergedToId"]) == (False, two["id"])
    assert len((await far.get("/locations", customerId=two["id"]))["data"]) == 2
    values = [row["value"] for row in (await far.get(f"/customers/{two['id']}/contacts"))["data"]]
    assert sorted(values) == ["512-555-0102", "ann@example.com"]
    operator.unmerge_customer(simulator.operator(1000001), id=one["id"])
    assert (await far.get(f"/customers/{one['id']}"))["mergedToId"] is None
    assert len((await far.get("/locations", customerId=one["id"]))["data"]) == 1


async def test_a_location_needs_a_customer_that_is_there(far: Any) -> None:
    address = {"street": "1 Elm", "city": "Waco", "state": "TX", "zip": "76701", "country": "USA"}
    answer = await far.ask("POST", "/locations", {"name": "Shop", "address": address, "customerId": 5})
    assert answer.status_code == 409
    assert (await far.ask("POST", "/customers", {"name": "A", "address": address, "locations": []})).status_code == 400


async def test_notes_reach_the_other_side_when_asked(far: Any) -> None:
    made = await far.customer()
    location = made["locations"][0]["id"]
    note = await far.post(
        f"/customers/{made['id']}/notes", {"text": "Gate code 12", "addToLocations": True, "pinToTop": True}
    )
    assert note["isPinned"] is True
    assert len((await far.get(f"/locations/{location}/notes"))["data"]) == 1
    assert (await far.ask("DELETE", f"/customers/{made['id']}/notes/{note['id']}")).status_code == 200
    assert (await far.get(f"/customers/{made['id']}/notes"))["data"] == []


async def test_contact_preferences_must_be_complete(far: Any) -> None:
    made = await far.customer()
    path = f"/customers/{made['id']}/contacts"
    (contact,) = (await far.get(path))["data"]
    answer = await far.ask("PATCH", f"{path}/{contact['id']}", {"preferences": {"marketingUpdatesEnabled": False}})
    assert answer.status_code == 400
    names = ("jobRemindersEnabled", "marketingUpdatesEnabled", "invoiceStatementNotification")
    whole = dict.fromkeys((*names, "invoiceNotification", "statementNotification"), False)
    assert (await far.patch(f"{path}/{contact['id']}", {"preferences": whole}))["preferences"] == whole


async def test_the_preferred_technician_is_a_bare_id_or_null(far: Any) -> None:
    location = (await far.customer())["locations"][0]["id"]
    path = f"/locations/{location}/preferredtechnician"
    assert await far.get(path) is None
    await far.post(f"{path}/1302")
    assert await far.get(path) == 1302


async def test_more_than_fifty_ids_are_refused_and_unknown_parameters_ignored(far: Any) -> None:
    await far.customer()
    assert (await far.ask("GET", "/customers", ids=",".join(map(str, range(51))))).status_code == 400
    assert len((await far.get("/customers", favouriteColour="red"))["data"]) == 1
    assert (await far.ask("GET", "/customers", page=0)).status_code == 400
    assert (await far.ask("GET", "/customers", pageSize=5001)).status_code == 400
    assert (await far.ask("GET", "/customers", sort="+Shoe")).status_code == 400


async def test_pages_and_totals_and_order(far: Any) -> None:
    made = [(await far.customer(name=f"C{at}"))["id"] for at in range(5)]
    first = await far.get("/customers", pageSize=2, includeTotal="true")
    assert (first["hasMore"], first["totalCount"], [row["id"] for row in first["data"]]) == (True, 5, made[:2])
    last = await far.get("/customers", pageSize=2, page=3, sort="-Id")
    assert (last["hasMore"], last["totalCount"], [row["id"] for row in last["data"]]) == (False, None, made[:1])


async def test_accounting_moves_modified_on_and_can_be_left_out(far: Any, simulator: Simulator, time: Any) -> None:
    made = await far.customer()
    time.pass_seconds(60)
    operator.change_balance(simulator.operator(1000001), customer_id=made["id"], balance=120.5)
    since = {"modifiedOnOrAfter": "2026-03-02T15:00:30Z"}
    assert (await far.get("/customers", **since))["data"][0]["balance"] == 120.5
    apart = {**since, "excludeAccountingChangesFromModifiedDateRange": "true"}
    assert (await far.get("/customers", **apart))["data"] == []
