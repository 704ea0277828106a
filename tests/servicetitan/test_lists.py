"""Pages, batches of ids and export feeds, and the requests that are refused before they are sent."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as some

from bridge.domain.outcome import Deferred, Rejected, Succeeded
from bridge.servicetitan import requests
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.credentials import Credentials
from bridge.servicetitan.exports import batches, by_ids, collect, export, export_page, pages
from bridge.servicetitan.replacing import merged_custom_fields, merged_tags
from bridge.servicetitan.responses import CustomFieldModel
from bridge.simulator.faults import Action

Make = Callable[..., dict[str, Any]]


async def made_customers(far: Any, customer: Make, count: int) -> list[int]:
    return [(await far.st.customers.create(body=customer(f"Pat {n}"))).body.id for n in range(count)]


async def test_every_page_of_a_list_is_read_in_order_of_id(far: Any, customer: Make) -> None:
    made = await made_customers(far, customer, 5)
    sizes = [len(one.body.data) async for one in pages(far.st.customers.list, page_size=2)]
    assert sizes == [2, 2, 1]
    assert [row.id for row in (await collect(far.st.customers.list, page_size=2)).body] == made


async def test_rows_that_shift_between_pages_come_once(far: Any, customer: Make) -> None:
    made = await made_customers(far, customer, 6)
    far.fault(Action.PAGING_SHIFT, path="/customers", nth=2)
    rows = (await collect(far.st.customers.list, page_size=2)).body
    assert len(rows) == len({row.id for row in rows})
    assert {row.id for row in rows} <= set(made)


async def test_a_page_that_fails_ends_the_list_with_its_reason(far: Any, customer: Make) -> None:
    await made_customers(far, customer, 4)
    far.fault(Action.HTML_502, path="/customers", method="GET", nth=2)
    kinds = [type(one) async for one in pages(far.st.customers.list, page_size=2)]
    assert kinds == [Succeeded, Deferred]
    assert isinstance(await collect(far.st.customers.list, page_size=1), Succeeded)


async def test_any_number_of_ids_goes_out_fifty_at_a_time(far: Any, customer: Make) -> None:
    made = await made_customers(far, customer, 55)
    before = len(far.simulator.log)
    rows = (await by_ids(far.st.customers.list, [*made, *made])).body
    assert sorted(row.id for row in rows) == sorted(made)
    assert len(far.simulator.log) - before == 2


@given(some.lists(some.integers(1, 10**6), max_size=180))
def test_batches_hold_every_id_in_order_and_no_more_than_fifty(ids: list[int]) -> None:
    assert [one for batch in batches(ids) for one in batch] == ids
    assert all(0 < len(batch) <= 50 for batch in batches(ids))


async def test_a_feed_is_read_to_its_end_and_continued(far: Any, customer: Make) -> None:
    far.simulator.switches = type(far.simulator.switches)(export_batch=2)
    made = await made_customers(far, customer, 3)
    far.clock.advance(hours=1)
    read = [one async for one in export(far.st.exports.customers, continue_from=None)]
    assert [row.id for one in read for row in one.body.data] == made
    assert [one.body.has_more for one in read] == [True, False]
    again = await export_page(far.st.exports.customers, continue_from=read[-1].body.continue_from)
    assert again.body.data == []
    (newer,) = await made_customers(far, customer, 1)
    place = again.body.continue_from
    fresh = await export_page(far.st.exports.customers, continue_from=place, include_recent_changes=True)
    assert [row.id for row in fresh.body.data] == [newer]


async def test_an_inactive_row_is_in_the_feed_and_not_in_the_list(far: Any, customer: Make) -> None:
    (made,) = await made_customers(far, customer, 1)
    await far.st.customers.update(made, body={"active": False})
    assert (await far.st.customers.list()).body.data == []
    assert [row.id for row in (await far.st.customers.list(query={"active": "Any"})).body.data] == [made]
    far.clock.advance(hours=1)
    page = await export_page(far.st.exports.customers, continue_from=None)
    assert [(row.id, row.active) for row in page.body.data] == [(made, False)]


@pytest.fixture
async def answering(clock: Any) -> AsyncIterator[Callable[[bytes], ServiceTitan]]:
    """Give a client whose every read is answered with these bytes."""
    opened: list[httpx.AsyncClient] = []

    def client(content: bytes) -> ServiceTitan:
        def handle(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/connect/token":
                return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
            return httpx.Response(200, content=content)

        http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
        opened.append(http)
        return ServiceTitan(Credentials(tenant_id=1, client_id="c", client_secret="s", app_key="a"), http, clock)

    yield client
    for http in opened:
        await http.aclose()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>", "answer_unreadable"),
        (b"", "answer_empty"),
        (b'{"data": [{"id": 1}]}', "answer_unreadable"),
        (b'{"data": [{"name": "no id"}], "hasMore": false, "continueFrom": "x"}', "answer_unreadable"),
        (b'{"data": [], "hasMore": true, "continueFrom": null}', "answer_unreadable"),
        (b'{"data": [], "hasMore": true, "continueFrom": "here"}', "feed_stuck"),
        (b'{"data": [], "hasMore": true, "continueFrom": ""}', "feed_stuck"),
    ],
)
async def test_a_feed_that_answers_garbage_stops_with_a_reason(
    answering: Callable[[bytes], ServiceTitan], content: bytes, reason: str
) -> None:
    outcomes = [one async for one in export(answering(content).exports.customers, continue_from="here")]
    assert [(type(one), one.reason) for one in outcomes] == [(Deferred, reason)]


async def test_a_list_that_promises_more_and_gives_nothing_stops(answering: Callable[[bytes], ServiceTitan]) -> None:
    st = answering(b'{"data": [], "hasMore": true, "page": 1, "pageSize": 50}')
    assert [one.reason async for one in pages(st.customers.list)] == ["feed_stuck"]


async def test_values_that_break_the_contract_are_mended(answering: Callable[[bytes], ServiceTitan]) -> None:
    row = (
        b'{"id": "12", "active": "true", "name": null, "type": 1, "balance": "3.5", "customFields": null,'
        b' "tagTypeIds": [1, "2", null], "createdOn": "2021-07-19T20:35:38.2876004", "modifiedOn": "yesterday",'
        b' "address": {"street": 5, "zip": 78701}, "somethingNew": {"a": 1}}'
    )
    (read,) = (await answering(b'{"data": [' + row + b"]}").customers.list()).body.data
    assert (read.id, read.active, read.name, read.type, read.balance) == (12, True, None, "1", 3.5)
    assert (read.custom_fields, read.tag_type_ids, read.modified_on) == ((), (1, 2), None)
    assert read.created_on == datetime.fromisoformat("2021-07-19T20:35:38.287600+00:00")
    assert (read.address.street, read.address.zip, read.address.city) == ("5", "78701", None)


@pytest.mark.parametrize(
    ("name", "ids", "query", "body", "place"),
    [
        ("bookings.update", (1,), {}, {"campaignId": None}, "$.campaignId"),
        ("bookings.update", (1,), {}, {"address": {"street": "1 Main St"}}, "$.address"),
        ("bookings.update", (1,), {}, {"status": "Converted"}, "status"),
        ("bookings.update", (1,), {}, {"priority": "urgent"}, "$.priority"),
        ("bookings.update", (1,), {}, {"start": datetime(2026, 1, 1)}, "$.start"),  # noqa: DTZ001 - no zone is the fault
        ("bookings.update", (1,), {}, None, "needs a body"),
        ("bookings.update", (1,), {}, requests.UpdateBookingRequest(name=None), "$.name"),  # type: ignore[arg-type]
        ("customers.update", (1,), {}, {"address": {"street": "1 Main St", "unit": ""}}, "$.address"),
        ("customers.create", (), {}, {"name": "Pat"}, "locations"),
        ("leads.create", (), {}, {"campaignId": 1, "summary": "x"}, "callReasonId or followUpDate"),
        ("customers.list", (), {"status": "Open"}, None, "no query parameter 'status'"),
        ("customers.list", (), {"active": "false"}, None, "True, Any, False"),
        ("customers.list", (), {"ids": list(range(51))}, None, "at most 50"),
        ("customers.list", (), {"modifiedBefore": datetime(2026, 1, 1)}, None, "without a zone"),  # noqa: DTZ001
        ("customers.all_contacts", (), {"page": 2}, None, "customerIds"),
        ("attributions.attributed_leads", (), {"toUtc": "2026-01-01"}, None, "fromUtc"),
        ("customers.get", (1,), {}, {"a": 1}, "takes no body"),
    ],
)
async def test_a_request_that_breaks_the_contract_is_not_sent(
    far: Any, name: str, ids: tuple[int, ...], query: Any, body: Any, place: str
) -> None:
    family, _, operation = name.partition(".")
    outcome = await getattr(getattr(far.st, family), operation)(*ids, query=query, body=body)
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "request_invalid"
    assert place in outcome.detail
    assert len(far.simulator.log) == 0


async def test_a_path_is_quoted(far: Any) -> None:
    outcome = await far.st.contacts.get_preference("a/../b", "c?d=e", "f g")
    assert outcome.reason in {"not_found", "validation_failed"}
    assert far.simulator.log[-1].query == ""


@given(
    some.lists(some.tuples(some.integers(1, 9), some.none() | some.text(max_size=3)), max_size=6),
    some.dictionaries(some.integers(1, 9), some.none() | some.text(max_size=3), max_size=4),
)
def test_custom_fields_that_were_not_asked_for_stay_as_they_are(
    held: list[tuple[int, str | None]], changes: dict[int, str | None]
) -> None:
    models = [CustomFieldModel(type_id=type_id, value=value) for type_id, value in held]
    merged = {field["typeId"]: field["value"] for field in merged_custom_fields(models, changes)}
    wanted = {**dict(held), **changes}
    assert merged == {type_id: value for type_id, value in wanted.items() if value is not None}


@given(some.lists(some.integers(1, 9)), some.sets(some.integers(1, 9)), some.sets(some.integers(1, 9)))
def test_tags_that_were_not_asked_for_stay(held: list[int], add: set[int], remove: set[int]) -> None:
    merged = merged_tags(held, add=add, remove=remove)
    assert set(merged) == (set(held) | add) - remove
    assert len(merged) == len(set(merged))
